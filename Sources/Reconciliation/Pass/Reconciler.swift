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

  /// The budgets that it knows.
  var budgets: KnownBudgets
  var rememberedAt: Timestamp?
  var passes: UInt64 = 0
  /// When the last pass over all budgets was.
  var lastWholePass: Timestamp?
  /// The memory that calls about claims share.
  var claimBook: ClaimBook
  /// Reservations that have ended on other nodes than their own.
  var mail: EndedMail
  /// The pass under way: when it began, and what for.
  var passBegan = Timestamp(unixMilliseconds: 0)
  var occasion = RestingBudgets.Occasion.ordinary
  /// A call is on demand: no start key was read before it.
  var isOnDemand = false

  /// Knows nothing yet.
  public init(settings: ReconcilerSettings, keys: RedisKeys) {
    self.settings = settings
    redisKeys = keys
    budgets = KnownBudgets(settings, keys: keys)
    claimBook = ClaimBook(settings)
    mail = EndedMail(keys)
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
      budgets.restDynamic(at: nil)
      throw error
    }
    budgets.restDynamic(at: report.time)
    passes += 1
    return report
  }

  private mutating func run(
    _ node: some FleetNode, _ store: inout some FleetStore,
    _ occasion: RestingBudgets.Occasion, _ report: inout PassReport
  ) throws(PassFailure) {
    let isUrgent = occasion == .lastCall
    (passBegan, self.occasion) = (node.now(), occasion)
    budgets.take(node)
    if let news = node.resets(otherThan: budgets.resets?.edition) { budgets.take(news) }
    try takeNews(node)
    try hearClock(node, &store, &report)
    budgets.endWindows(Array(budgets.indices), at: report.time, &report)
    _ = budgets.noteUse(of: node, onDemand: false)
    let chosen = isUrgent ? budgets.urgent : budgets.choose()
    try pull(chosen, &store, node, &report)
    budgets.nodeCount = report.nodes
    try settleWindows(chosen, node, &store, &report)
    try merge(chosen, node, &store, &report)
    show(chosen, node, at: report.time)
    remember(node, at: report.time, all: false)
    try hearClaims(node, &store)
    // By now the fleet has what they have cost.
    try mail.deliver(node, &store)
    report.claimsRefusal = claimBook.refusal
    report.asideRefusal = claimBook.listing.refusal ?? mail.refusal
    pace(chosen, isUrgent: isUrgent, &report)
    try passDynamic(occasion, node, &store, &report)
  }

  /// Takes what the ledger has committed.
  private mutating func takeNews(_ node: some FleetNode) throws(PassFailure) {
    do throws(FleetNodeError) {
      // The last pass tells all there is.
      let news = try occasion == .last ? node.news() : node.newsSoFar()
      if let news { return budgets.apply(news, isFirst: passes == 0) }
    } catch {
      throw .node(error)
    }
    throw .ledgerIsLate
  }

  /// Finds the windows that are not known, and has the node adopt them.
  mutating func settleWindows(
    _ chosen: [Int], _ node: some FleetNode, _ store: inout some FleetStore,
    _ report: inout PassReport
  ) throws(PassFailure) {
    var settling = WindowSettling(settings)
    try settling.settle(chosen, &budgets, &store, &report)
    try settling.adopt(&budgets, node, &store, &report)
  }

  /// Hands over what the next start should know; before the process ends.
  public mutating func close(_ node: some FleetNode) { remember(node, at: node.now(), all: true) }

  /// A new link to the store was made: it may be another store, or one that has lost its last
  /// writes. The next pass looks at every marker.
  public mutating func linkWasMade() {
    for index in budgets.indices {
      budgets[index].mergedAt = nil
      budgets[index].doubtReset()
    }
    claimBook.linkWasMade()
    mail.linkWasMade()
    budgets.dynamic.linkWasMade()
  }

  /// The state of a budget, whether it rests or not.
  func state(of key: BudgetKey) -> BudgetState? { budgets.state(of: key) }
}
