import BudgetModel
import RedisStore

/// Budgets as reconciling knows them between passes: those that a pass looks at each time, and beside them
/// those of patterns, which rest. A value without clock and store.
struct KnownBudgets {
  let settings: ReconcilerSettings
  private let keys: RedisKeys

  /// The number of the configuration that they are of.
  var generation: UInt64?
  /// Every budget in force that can be kept in the store, and others with spend still to be told.
  var states: [BudgetState] = []
  var places: [BudgetKey: Int] = [:]
  /// Budgets that names have from patterns, while no pass looks at them.
  var dynamic: DynamicRest
  /// The place where the next pass goes on among budgets without news, when there are very many.
  private var cursor = 0
  /// Windows that have ended before their last totals were remembered.
  var endedRecords: [FleetRecord] = []
  /// The windows that operators have ended.
  var resets: FleetResets?
  /// How many nodes the fleet had at the last pass, or was said to have before the first.
  var nodeCount = 1
  /// Budgets that are near their limit or their window's end, and looked at more often.
  var urgent: [Int] = []
  /// Those in which this node holds something back, as it said last.
  private var used: Set<BudgetKey> = []

  init(_ settings: ReconcilerSettings, keys: RedisKeys) {
    self.settings = settings
    self.keys = keys
    dynamic = DynamicRest(settings, keys: keys)
  }

  subscript(index: Int) -> BudgetState {
    _read { yield states[index] }
    _modify { yield &states[index] }
  }

  /// The places of all.
  var indices: Range<Int> { states.indices }

  /// Takes the configuration of the node, if it is another one.
  mutating func take(_ node: some FleetNode) {
    guard let budgets = node.budgets(otherThan: generation) else { return }
    generation = budgets.generation
    // Claims on those of patterns are told anew: the node still knows its ceilings.
    for index in states.indices where states[index].dynamic != nil { states[index].claims = nil }
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
      } else if let keys = BudgetKeys(budget.key, budget.origin, in: keys) {
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

  /// Budgets in which this node holds something back, or would like to, get a place for their claims. Gives
  /// the places of those that the store keeps. On demand: those that wait, and those known from before.
  mutating func noteUse(of node: some FleetNode, onDemand: Bool) -> [Int] {
    let keys = onDemand ? used.union(node.budgetsWaitedFor()) : Set(node.budgetsInUse())
    for key in used.subtracting(keys) {
      if let index = places[key] { states[index].claims?.isWanted = false }
    }
    used = keys
    let now = node.now()
    return keys.compactMap { key in
      guard let index = placeInUse(key, at: now) else { return nil }
      if states[index].claims == nil { states[index].claims = BudgetClaims() }
      states[index].claims?.isWanted = true
      return index
    }.sorted()
  }

  /// Takes a state out; the last one takes its place.
  mutating func removeState(at index: Int) {
    if places[states[index].key] == index { places[states[index].key] = nil }
    urgent.removeAll { $0 == index }
    states.swapAt(index, states.count - 1)
    states.removeLast()
    guard index < states.count else { return }
    if places[states[index].key] == states.count { places[states[index].key] = index }
    if let place = urgent.firstIndex(of: states.count) { urgent[place] = index }
  }

  /// Takes what the ledger has committed. `isFirst`: before the first pass.
  mutating func apply(_ news: LedgerNews, isFirst: Bool = false) {
    if news.isComplete {
      for index in states.indices {
        // The ledger does not have the facts about windows that have ended.
        for start in states[index].windows.keys { states[index].windows[start]?.parts = [:] }
      }
      dynamic.forgetTotals()
      takeRecords(news.records, isFirst: isFirst)
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
  private mutating func takeRecords(_ records: [FleetRecord], isFirst: Bool) {
    var isTold: Set<Int> = []
    var restingTold: Set<BudgetKey> = []
    for record in records.sorted(by: { ($0.end, $0.start) > ($1.end, $1.start) }) {
      if places[record.key] == nil, dynamic.note(record, &restingTold) { continue }
      guard let index = place(of: record.key), isTold.insert(index).inserted else { continue }
      if isFirst { nodeCount = max(nodeCount, record.nodes) }
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
    guard let keys = BudgetKeys(key, origin, in: keys) else { return nil }
    let budget = FleetBudget(key: key, limit: nil, rule: rule, origin: origin)
    places[key] = states.count
    states.append(BudgetState(budget, keys: keys, position: nil))
    states[states.count - 1].reset = resets?.starts[key]
    return states.count - 1
  }

  /// The budgets that this pass looks at: all, or where there are very many those with something to
  /// say and a part of the others.
  mutating func choose() -> [Int] {
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

  /// Takes what operators have reset: what the store has of it is looked at.
  mutating func take(_ news: FleetResets) {
    resets = news
    for (key, start) in news.starts {
      if let index = places[key] { states[index].reset = start }
    }
  }

  /// A node of a cluster that is away costs its budgets this pass: they keep what is known of them.
  /// Throws where it is the whole store that refuses.
  mutating func passOver(
    _ refusal: RedisRefusal, at index: Int, _ report: inout PassReport
  ) throws(PassFailure) {
    guard refusal.kind == .nodeAway else { throw .refused(refusal) }
    if !states[index].isAway { report.away += 1 }
    states[index].isAway = true
    report.noteAway(refusal)
  }
}
