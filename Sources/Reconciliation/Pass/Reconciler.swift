import BudgetModel
public import RedisStore

/// Brings one node's totals and the fleet's together, a pass at a time.
///
/// A value without clock, thread or socket; a pass is plain steps in order, each of which may fail
/// and be done again by the next pass. A pass:
///
/// 1. takes what the ledger has committed since, hears the store's clock, says that the node lives;
/// 2. reads spend keys and start keys;
/// 3. finds the window of each budget that has none, or whose start key is another one, and has
///    the node adopt it, in the ledger first;
/// 4. merges the totals of budgets with news, of those whose spend key fell, and of each once a
///    minute;
/// 5. shows the engine what others have spent.
public struct Reconciler {
  /// How it works.
  public let settings: ReconcilerSettings
  let redisKeys: RedisKeys

  var generation: UInt64?
  /// Every budget in force that can be kept in the store, and others with spend still to be told.
  var states: [BudgetState] = []
  var places: [BudgetKey: Int] = [:]
  /// Budgets that names have from patterns, while no pass looks at them.
  var dynamic: DynamicRest
  /// The place where the next pass goes on among budgets without news, when there are very many.
  private var cursor = 0
  var rememberedAt: Timestamp?
  /// Windows that have ended before their last totals were remembered.
  var endedRecords: [FleetRecord] = []
  /// The windows that operators have ended.
  var resets: FleetResets?
  /// How many nodes the fleet had at the last pass.
  var nodeCount = 1
  var passes: UInt64 = 0
  /// Budgets that are near their limit or their window's end, and looked at more often.
  var urgent: [Int] = []
  /// When the last pass over all budgets was.
  var lastWholePass: Timestamp?
  /// The memory that calls about claims share.
  var claimBook: ClaimBook

  /// Knows nothing yet.
  public init(settings: ReconcilerSettings, keys: RedisKeys) {
    self.settings = settings
    redisKeys = keys
    dynamic = DynamicRest(settings, keys: keys)
    claimBook = ClaimBook(settings)
  }

  /// Does one pass. `isUrgent`: only for budgets near their limit or their window's end, as the pass
  /// before asked for. `isLast`: the node ends, and tells all that it has.
  ///
  /// After a failure whatever was done stands, and the next pass goes on from there.
  public mutating func pass(
    _ node: some FleetNode, _ store: inout some FleetStore, isUrgent: Bool = false,
    isLast: Bool = false
  ) throws(PassFailure) -> PassReport {
    var report = PassReport()
    do throws(PassFailure) {
      try run(
        node, &store, isUrgent ? .lastCall : isLast ? .last : .ordinary, &report)
    } catch {
      restDynamic(at: nil)
      throw error
    }
    restDynamic(at: report.time)
    passes += 1
    return report
  }

  private mutating func run(
    _ node: some FleetNode, _ store: inout some FleetStore,
    _ occasion: RestingBudgets.Occasion, _ report: inout PassReport
  ) throws(PassFailure) {
    let isUrgent = occasion == .lastCall
    takeBudgets(node)
    if let news = node.resets(otherThan: resets?.edition) { take(news) }
    do throws(FleetNodeError) {
      apply(try node.news())
    } catch {
      throw .node(error)
    }
    try hearClock(node, &store, &report)
    endWindows(Array(states.indices), at: report.time, &report)
    noteUse(of: node)
    let chosen = isUrgent ? urgent : choose()
    try pull(chosen, &store, node, &report)
    nodeCount = report.nodes
    try settleWindows(chosen, node, &store, &report)
    try merge(chosen, node, &store, &report)
    show(chosen, node, at: report.time)
    remember(node, at: report.time, all: false)
    report.claimsRefusal = claimBook.refusal
    pace(chosen, isUrgent: isUrgent, &report)
    try passDynamic(occasion, node, &store, &report)
  }

  /// Hands over what the next start should know; before the process ends.
  public mutating func close(_ node: some FleetNode) { remember(node, at: node.now(), all: true) }

  /// A new link to the store was made: it may be another store, or one that has lost its last
  /// writes. The next pass looks at every marker.
  public mutating func linkWasMade() {
    for index in states.indices {
      states[index].mergedAt = nil
      states[index].doubtReset()
    }
    claimBook.linkWasMade()
    dynamic.linkWasMade()
  }

  private mutating func takeBudgets(_ node: some FleetNode) {
    guard let budgets = node.budgets(otherThan: generation) else { return }
    generation = budgets.generation
    restDynamic(at: nil)
    var kept = states.filter { !$0.windows.isEmpty || $0.record != nil }
    var known: [BudgetKey: Int] = [:]
    for index in kept.indices {
      kept[index].position = nil
      kept[index].shown = nil
      known[kept[index].key] = index
    }
    for (position, budget) in budgets.budgets.enumerated() {
      if let index = known[budget.key], kept[index].origin == budget.origin {
        kept[index].position = position
        kept[index].take(budget)
      } else if var state = dynamic.giveUp(budget) {
        known[budget.key] = kept.count
        state.position = position
        state.take(budget)
        kept.append(state)
      } else if let keys = BudgetKeys(budget.key, budget.origin, in: redisKeys) {
        known[budget.key] = kept.count
        var state = BudgetState(budget, keys: keys, position: position)
        if places[budget.key] != nil { state.announces = false }  // It has been shown.
        state.windows = dynamic.giveUpWindows(of: budget, at: node.now())
        kept.append(state)
      }
    }
    (states, places) = (kept, known)
    takePatterns(budgets.patterns, at: node.now())
    (cursor, urgent) = (0, [])
    if let resets { take(resets) }
  }

  /// Takes a state out; the last one takes its place.
  mutating func removeState(at index: Int) {
    if places[states[index].key] == index { places[states[index].key] = nil }
    states.swapAt(index, states.count - 1)
    states.removeLast()
    guard index < states.count else { return }
    if places[states[index].key] == states.count { places[states[index].key] = index }
    if let place = urgent.firstIndex(of: states.count) { urgent[place] = index }
  }

  mutating func apply(_ news: LedgerNews) {
    if news.isComplete {
      for index in states.indices {
        // The ledger does not have the facts about windows that have ended.
        for start in states[index].windows.keys { states[index].windows[start]?.parts = [:] }
      }
      dynamic.forgetTotals()
      takeRecords(news.records)
    }
    for total in news.totals {
      if places[total.key] == nil, dynamic.note(total, isInherited: news.isComplete) { continue }
      guard let index = place(of: total.key) else { continue }
      states[index].windows[total.start, default: .init(end: total.end)].end = total.end
      states[index].windows[total.start]?.parts[total.origin] = total.cumulative
    }
  }

  /// Of several windows of a budget the last to end is the one that may be open. Which one the node
  /// has adopted the ledger knows best, since an adoption can be done and its answer lost; what the
  /// store said of it is newer in memory.
  private mutating func takeRecords(_ records: [FleetRecord]) {
    var isTold: Set<Int> = []
    var restingTold: Set<BudgetKey> = []
    for record in records.sorted(by: { ($0.end, $0.start) > ($1.end, $1.start) }) {
      if places[record.key] == nil, dynamic.note(record, &restingTold) { continue }
      guard let index = place(of: record.key), isTold.insert(index).inserted else { continue }
      if passes == 0 { nodeCount = max(nodeCount, record.nodes) }
      guard let known = states[index].record, known.start != record.start else {
        if states[index].record == nil { states[index].record = record }
        continue
      }
      states[index].endRecord()
      states[index].record = record
    }
  }

  /// The place of a budget's state; made for one that is not in force (any more) but has spend to be
  /// told. Nil: it cannot be kept in the store.
  private mutating func place(of key: BudgetKey) -> Int? {
    if let known = places[key] { return known }
    guard let rule = try? WindowRule(text: key.windowText) else { return nil }
    // Of one that is not configured any more the ledger does not tell whose words it was in.
    let isLiteLLMs = rule.rollingLength != nil && BudgetScope.ofLiteLLM.contains(key.scope)
    let origin = isLiteLLMs ? BudgetOrigin.liteLLM : .own
    guard let keys = BudgetKeys(key, origin, in: redisKeys) else { return nil }
    let budget = FleetBudget(key: key, limit: nil, rule: rule, origin: origin)
    places[key] = states.count
    states.append(BudgetState(budget, keys: keys, position: nil))
    states[states.count - 1].reset = resets?.starts[key]
    return states.count - 1
  }

  /// The budgets that this pass looks at: all, or where there are very many those with something to
  /// say and a part of the others.
  private mutating func choose() -> [Int] {
    guard states.count > settings.pullBound else { return Array(states.indices) }
    var isChosen = [Bool](repeating: false, count: states.count)
    for index in states.indices {
      let state = states[index]
      isChosen[index] =
        state.hasNews || state.isContested || !state.windows.isEmpty && state.record == nil
        || state.claims?.isOfAccount == true
    }
    for _ in 0..<settings.pullBound {
      isChosen[cursor % states.count] = true
      cursor = (cursor + 1) % states.count
    }
    return states.indices.filter { isChosen[$0] }
  }

  /// Lets go of windows that are over, and counts what of them the store never got.
  mutating func endWindows(
    _ indices: [Int], at now: Timestamp, _ report: inout PassReport
  ) {
    let forgotten = now.unixMilliseconds - settings.endedWindowMemoryMilliseconds
    for index in indices {
      if let record = states[index].record, record.end < now {
        endedRecords += states[index].endWithNews()
      }
      guard states[index].windows.values.contains(where: { $0.end < now }) else { continue }
      for (start, window) in states[index].windows where window.end < now {
        // A reload may end a window here that the fleet still has open.
        if states[index].record?.start == start { continue }
        let late = states[index].takeLate(start)
        // Not of an inherited one: an earlier life may have told it.
        if late > .zero, states[index].dynamic?.isInherited != true {
          report.late.append(.init(key: states[index].key, start: start, amount: late))
        }
        if window.end.unixMilliseconds < forgotten { states[index].windows[start] = nil }
      }
    }
  }
}
