import BudgetEngine
import BudgetModel
import BudgetWire
import SpendLedger

/// One page of what a budget's windows held: the question to the ledger, and its answer's message.
///
/// The token names the window that the page before ended with, so that every node and every later
/// process understands it.
struct HistoryPage: Sendable {
  /// The open window as the engine has it, on the first page.
  struct Open: Sendable {
    var window: Window
    var spend: PicoUSD
    var own: PicoUSD
    var limit: PicoUSD?
  }

  let budget: HistoryBudget
  let open: Open?
  /// Ended windows that began before this; nil: the newest.
  let before: Timestamp?
  /// Whether the open window's spend is the fleet's.
  var isInFleet = false
  /// How many windows the page has at most, the open one among them.
  let size: Int
  let now: Timestamp

  /// The most windows on one page.
  static let maximumSize = 1_000
  static let usualSize = 100

  init(
    _ budget: HistoryBudget, size: UInt32, token: NameBytes, at now: Timestamp
  ) throws(ServiceRefusal) {
    self.budget = budget
    self.now = now
    self.size = size == 0 ? Self.usualSize : min(Int(size), Self.maximumSize)
    before = try Self.start(token)
    guard before == nil, let report = budget.report, let end = report.resetsAt,
      let start = report.startedAt
    else {
      open = nil
      return
    }
    open = Open(
      window: Window(start: start, end: end), spend: report.spend, own: report.ownSpend,
      limit: report.limit)
  }

  private static func start(_ token: NameBytes) throws(ServiceRefusal) -> Timestamp? {
    if token.isEmpty { return nil }
    guard token.isWellFormed, let start = Int64(token.text) else {
      throw ServiceRefusal(
        .invalidArgument, "page_token is not from budgetd: give next_page_token as it came")
    }
    return Timestamp(unixMilliseconds: start)
  }

  /// The page, from what `ask` tells of the ledger's windows, a few at a time.
  func response(
    asking ask: (HistoryQuestion) throws(LedgerError) -> [PastWindow]
  ) throws(LedgerError) -> GetSpendHistoryResponse {
    var ended: [PastWindow] = []
    var isOpenOfFleet = isInFleet
    var next = before
    let room = size - (open == nil ? 0 : 1)
    // One more than fits, to know whether there is a next page.
    while ended.count <= room {
      let answer = try ask(
        HistoryQuestion(
          budget.key, limitKey: budget.limitKey, before: next, count: room + 2 - ended.count))
      guard let last = answer.last else { break }
      for window in answer {
        if let open, window.window.start == open.window.start {
          isOpenOfFleet = isInFleet || window.others != nil
        } else if window.window.end < now {
          ended.append(window)
        }
      }
      next = last.window.start
    }
    var response = GetSpendHistoryResponse()
    response.scope = budget.key.scope
    response.name = budget.key.name
    response.window = budget.key.windowText
    response.timeZone = budget.timeZone
    if let open { response.windows.append(SpendWindow(open, isOfFleet: isOpenOfFleet)) }
    response.windows += ended.prefix(room).map { SpendWindow($0, of: budget) }
    markResets(&response.windows)
    if ended.count > room, let last = response.windows.last {
      response.nextPageToken = "\(last.startUnixMilliseconds)"
    }
    return response
  }
}

extension HistoryPage {
  /// A window was reset if it ended before its time, and the next one began with the next millisecond:
  /// nothing else ends a window so.
  private func markResets(_ windows: inout [SpendWindow]) {
    guard let rule = budget.rule else { return }
    var laterStart = open?.window.start.unixMilliseconds ?? before?.unixMilliseconds
    for index in windows.indices {
      let window = windows[index]
      defer { laterStart = window.startUnixMilliseconds }
      guard !window.isOpen, let laterStart, window.endUnixMilliseconds + 1 == laterStart else {
        continue
      }
      let usual = rule.window(at: Timestamp(unixMilliseconds: window.startUnixMilliseconds)).end
      windows[index].wasReset = usual.unixMilliseconds > window.endUnixMilliseconds
    }
  }
}

/// The budget that a history is of: one in force, one that a pattern gives, or one that was.
struct HistoryBudget: Sendable {
  let key: BudgetKey
  /// Whose limits were in force in its windows.
  var limitKey: BudgetKey
  /// Whether windows without a noted limit, and the limits noted under its key, are its own.
  var hasLimits = true
  /// Whether the ledger has the last that was heard of others' spend in windows that ended: of names'
  /// budgets by patterns it has not.
  var hasOthers = true
  /// Its state; nil where it is not live.
  var report: BudgetReport?
  var timeZone = ""
  /// When its windows begin and end; nil: nothing names it any more.
  private(set) var rule: WindowRule?
  /// The refusal where the ledger does not know it either; nil: it is in force.
  var unknown: RPCStatus?

  init(_ key: BudgetKey) {
    self.key = key
    limitKey = key
  }

  private mutating func follow(_ rule: WindowRule) {
    self.rule = rule
    if case .calendar(let windows) = rule { timeZone = windows.zone.name }
  }
}

extension HistoryBudget {
  /// Finds the budget of the scope and name, and of the window where one is given.
  init(
    _ scope: BudgetScope, _ name: NameBytes, window: NameBytes, in catalog: BudgetCatalog,
    _ dynamic: DynamicReading, _ report: (CatalogBudget) -> BudgetReport
  ) throws(ServiceRefusal) {
    let entries = catalog.budgets(scope, name)
    let patterns = catalog.patterns(giving: scope, name)
    let windows = entries.map(\.definition.key.windowText) + patterns.map(\.key.windowText)
    let what = scope == .total ? "the total" : "\(scope) '\(name.printable)'"
    let wanted: String
    if !window.isEmpty {
      wanted = window.text
    } else if windows.count == 1 {
      wanted = windows[0]
    } else if windows.isEmpty, scope == .model, let group = catalog.modelGroup(ofAlias: name.text) {
      throw ServiceRefusal(
        .notFound,
        "\(what) is an alias, and what is asked for by it counts as its model group: give '\(group)'"
      )
    } else if windows.isEmpty {
      throw ServiceRefusal(
        .notFound,
        "\(what) has no budget in the configuration: look at the names with GetProviderBudgets; of "
          + "one that was there before, give its window too")
    } else {
      throw ServiceRefusal(
        .invalidArgument,
        "window: \(what) has budgets per \(windows.joined(separator: ", ")): give one of these")
    }
    let text = scope == .total ? BudgetKey.totalName : name.text
    self.init(BudgetKey(scope: scope, name: text, windowText: wanted))
    if let entry = entries.first(where: { $0.definition.key == key }) {
      self.report = report(entry)
      hasLimits = !catalog.hasPattern(scope, text)
      follow(entry.definition.rule)
      return
    }
    if let pattern = patterns.first(where: { ExactText($0.key.windowText) == ExactText(wanted) }) {
      limitKey = pattern.key
      hasOthers = false
      follow(pattern.rule)
      if let live = dynamic.budgets(scope, name).first(where: { $0.report.key == key }) {
        self.report = live.report
        return
      }
      unknown = RPCStatus(
        .notFound,
        "\(what) has no budget per \(wanted) yet: pattern '\(pattern.key.name)' gives it one at its "
          + "first charge")
      return
    }
    let known = windows.isEmpty ? "no budget" : "budgets per \(windows.joined(separator: ", "))"
    unknown = RPCStatus(
      .notFound,
      "\(what) has \(known) in the configuration and no history per '\(window.printable)': give "
        + "scope, name and window as GetProviderBudgets lists them")
  }
}

extension SpendWindow {
  fileprivate init(_ open: HistoryPage.Open, isOfFleet: Bool) {
    self.init(
      startUnixMilliseconds: open.window.start.unixMilliseconds,
      endUnixMilliseconds: open.window.end.unixMilliseconds)
    spendUSD = open.spend.dollars
    ownUSD = open.own.dollars
    limitUSD = open.limit?.dollars
    self.isOfFleet = isOfFleet
    isOpen = true
  }

  fileprivate init(_ past: PastWindow, of budget: HistoryBudget) {
    self.init(
      startUnixMilliseconds: past.window.start.unixMilliseconds,
      endUnixMilliseconds: past.window.end.unixMilliseconds)
    spendUSD = (budget.hasOthers ? past.spend : past.own).dollars
    ownUSD = past.own.dollars
    isOfFleet = budget.hasOthers && past.others != nil
    guard budget.hasLimits else { return }
    switch past.limit {
    case .unknown: isLimitUnknown = true
    case .unlimited: break
    case .limit(let limit): limitUSD = limit.dollars
    }
  }
}
