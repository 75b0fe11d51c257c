import BudgetModel
import Reconciliation
import RedisStore

/// A node: a ledger that lasts, and in memory an engine, a queue and a reconciler that do not.
final class SimulatedNode {
  let place: Int
  let nodeID: String
  let budgets: [FleetBudget]
  var ledger: SimulatedLedger

  /// Counts this node's lives; what belongs to an earlier one is dead.
  private(set) var life = 0
  private(set) var isUp = false
  private(set) var origin = ""
  /// The engine's window of each budget.
  var open: [FleetSpan?] = []
  var others: [FleetView?] = []
  /// Records that were asked for and are not committed.
  var queue: [(key: Int, budget: Int, amount: PicoUSD)] = []
  var reconciler: Reconciler?
  var isPassing = false
  /// The node's clock less the store's.
  var skew: Int64 = 0
  /// Its trust in the store's clock, in this life.
  var trust = ClockTrust(bound: .seconds(3_600))
  var hasHeard = false
  /// Whether the next news tell everything; else what they tell of.
  var tellsEverything = true
  var changed: [(budget: Int, start: Timestamp)] = []
  /// The news that the ledger was asked for and has not told yet.
  var lateNews: LedgerNews?
  /// Whether the ledger has told anything in this life.
  var hasTold = false
  /// The configuration: which budgets are in force, in which order.
  var generation: UInt64 = 1
  var inForce: [Int] = []
  /// Which of those are entries; the others come from patterns.
  var entries: [Int] = []
  private let isDynamic: Bool
  /// Counts what it has heard of operators' resets.
  var resetEdition: UInt64 = 0
  /// Whether the last pass asked to be followed by an urgent one.
  var isNextUrgent = false
  /// The last pass broke its link.
  var needsLink = false

  init(place: Int, budgets: [FleetBudget], isDynamic: Bool = false) {
    self.place = place
    self.isDynamic = isDynamic
    self.budgets = budgets
    nodeID = "0000000\(place)"
    ledger = SimulatedLedger(budgets: budgets.count)
  }

  func start(skew: Int64, at now: Int64, settings: ReconcilerSettings, keys: RedisKeys) {
    life += 1
    isUp = true
    let word = String(life, radix: 16)
    origin = nodeID + "." + String(repeating: "0", count: 8 - word.count) + word
    self.skew = skew
    trust = ClockTrust(bound: .seconds(3_600))
    hasHeard = false
    queue = []
    changed = []
    (lateNews, hasTold) = (nil, false)
    tellsEverything = true
    isPassing = false
    needsLink = false
    isNextUrgent = false
    generation += 1
    inForce = Array(budgets.indices)
    entries = isDynamic ? [] : inForce
    reconciler = Reconciler(settings: settings, keys: keys)
    others = Array(repeating: nil, count: budgets.count)
    let time = Timestamp(unixMilliseconds: now + skew)
    open = budgets.indices.map { openAtStart($0, at: time) }
  }

  func crash() {
    life += 1
    isUp = false
    reconciler = nil
    queue = []
  }

  private func openAtStart(_ budget: Int, at now: Timestamp) -> FleetSpan? {
    let adopted = ledger.records[budget].values.filter { $0.end >= now }
      .max { ($0.at, $0.start) < ($1.at, $1.start) }
    if let adopted { return FleetSpan(start: adopted.start, end: adopted.end) }
    let own = ledger.windows[budget].filter { $0.value.end >= now }.min { $0.key < $1.key }
    if let own { return FleetSpan(start: own.key, end: own.value.end) }
    guard budgets[budget].key.scope == .provider else { return nil }
    let span = FleetSpan(start: now, end: budgets[budget].rule.window(at: now).end)
    ledger.open(budget, span, origin: origin)
    return span
  }

  /// Commits all that waits, each charge in the window that is open now. Returns the clients' keys.
  func commit(at now: Timestamp) -> [Int] {
    var keys: [Int] = []
    for (key, budget, amount) in queue {
      keys.append(key)
      guard ledger.entries[key] == nil else { continue }
      let span = spanForCharge(budget, at: now)
      ledger.charge(key, budget, amount, span, origin)
      changed.append((budget, span.start))
    }
    queue = []
    return keys
  }

  private func spanForCharge(_ budget: Int, at now: Timestamp) -> FleetSpan {
    if let open = open[budget], now <= open.end { return open }
    let window = budgets[budget].rule.window(at: now)
    // Engines name the calendar's start, by a clock that may be off.
    let start = budgets[budget].rule.rollingLength == nil ? window.start : now
    let span = FleetSpan(start: start, end: window.end)
    open[budget] = span
    return span
  }

  /// An operator's reset, made here or heard of: windows that began before `start` are over. True: it
  /// is news.
  func reset(_ budget: Int, from start: Timestamp, at now: Timestamp) -> Bool {
    guard ledger.resets[budget].map({ $0 < start }) ?? true else { return false }
    ledger.resets[budget] = start
    resetEdition += 1
    let span = FleetSpan(start: start, end: budgets[budget].rule.window(at: start).end)
    let started = open[budget].flatMap { $0.end >= now ? $0.start : nil }
    guard span.end >= now, started.map({ $0 < start }) ?? true else { return true }
    changed += ledger.reset(budget, span, origin: origin).map { (budget, $0) }
    changed.append((budget, start))
    ledger.records[budget][start] = FleetRecord(
      key: budgets[budget].key, start: start, end: span.end, at: start)
    open[budget] = span
    others[budget] = FleetView(budget: budget, start: start, others: .zero)
    return true
  }

  /// Whether an operator has ended the window, as far as the node has heard.
  func hasReset(_ record: FleetRecord) -> Bool {
    guard let budget = budgets.firstIndex(where: { $0.key == record.key }),
      let start = ledger.resets[budget]
    else { return false }
    return record.start < start && record.end >= start
      && record.end <= budgets[budget].rule.window(at: start).end
  }

  /// The ledger's part of an adoption, then the engine's.
  func adopt(_ adoption: WindowAdoption, at now: Timestamp) {
    guard let budget = budgets.firstIndex(where: { $0.key == adoption.key }) else { return }
    ledger.adopt(adoption, budget, at: now)
    changed.append((budget, adoption.record.start))
    for start in adoption.closing { changed.append((budget, start)) }
    let span = FleetSpan(start: adoption.record.start, end: adoption.record.end)
    if let before = open[budget], before.start != span.start {
      let isReplaced = (adoption.moving + adoption.closing).contains(before.start)
      guard isReplaced || span.end >= now else { return }
    }
    open[budget] = span
  }

  func news(at now: Timestamp) -> LedgerNews {
    let cutoff = now.unixMilliseconds - 600_000
    var totals: [OriginTotal] = []
    var told: [(budget: Int, start: Timestamp)] = changed
    if tellsEverything {
      told = budgets.indices.flatMap { budget in
        ledger.windows[budget].keys.sorted().map { (budget, $0) }
      }
    }
    for (budget, start) in told {
      guard let window = ledger.windows[budget][start] else { continue }
      if tellsEverything, window.end.unixMilliseconds < cutoff { continue }
      for (origin, amount) in window.amounts.sorted(by: { $0.key < $1.key }) {
        totals.append(
          OriginTotal(
            key: budgets[budget].key, start: start, end: window.end, origin: origin,
            cumulative: amount))
      }
    }
    var news = LedgerNews(isComplete: tellsEverything, totals: totals)
    if tellsEverything {
      news.records = ledger.records.flatMap { $0.values.sorted { $0.start < $1.start } }
        .filter { $0.end.unixMilliseconds >= cutoff }
    }
    tellsEverything = false
    changed = []
    return news
  }
}
