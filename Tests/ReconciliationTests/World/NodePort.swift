import BudgetModel
import Reconciliation

/// One life of a node, as its reconciler sees it: once that life is over, nothing works any more.
struct NodePort: FleetNode {
  let world: World
  let node: SimulatedNode
  let life: Int

  private var isAlive: Bool { node.life == life }
  private static let dead = FleetNodeError("the node is gone")

  var nodeID: String { node.nodeID }

  func budgets(otherThan generation: UInt64?) -> FleetBudgets? {
    generation == node.generation
      ? nil
      : FleetBudgets(
        generation: node.generation, budgets: node.entries.map { node.budgets[$0] },
        patterns: world.scenario.isDynamic ? node.budgets.map(Self.pattern) : [])
  }

  /// A pattern that gives one name its budget, and others that there are not.
  private static func pattern(_ budget: FleetBudget) -> FleetPattern {
    FleetPattern(
      BudgetPattern(
        key: BudgetKey(
          scope: budget.key.scope, name: budget.key.name + "*", windowText: budget.key.windowText),
        rule: budget.rule, policy: BudgetPolicy(limit: budget.limit)))
  }

  func resets(otherThan edition: UInt64?) -> FleetResets? {
    if edition == node.resetEdition { return nil }
    let starts = node.ledger.resets.map { (node.budgets[$0.key].key, $0.value) }
    return FleetResets(
      edition: node.resetEdition, starts: Dictionary(uniqueKeysWithValues: starts))
  }

  func news() throws(FleetNodeError) -> LedgerNews {
    world.interleave()
    guard isAlive else { throw Self.dead }
    if world.strikes(world.faults.ledger) { throw FleetNodeError("the ledger is busy") }
    let news = world.scenario.news(world, node)
    defer { (node.lateNews, node.hasTold) = (nil, true) }
    return node.lateNews?.followed(by: news) ?? news
  }

  /// A ledger that is late tells later what it was asked for now.
  func newsSoFar() throws(FleetNodeError) -> LedgerNews? {
    if node.lateNews == nil {
      // The first is waited for.
      guard node.hasTold, world.strikes(world.faults.ledger) else { return try news() }
      world.interleave()
      guard isAlive else { throw Self.dead }
      node.lateNews = world.scenario.news(world, node)
      world.note("node \(node.place): the ledger is late")
    }
    world.interleave()
    guard isAlive else { throw Self.dead }
    if world.strikes(world.faults.ledger > 0 ? 0.7 : 0) { return nil }
    defer { node.lateNews = nil }
    world.note("node \(node.place): the ledger tells what it was asked for")
    return node.lateNews
  }

  func adopt(_ adoptions: [WindowAdoption]) throws(FleetNodeError) {
    world.interleave()
    guard isAlive else { throw Self.dead }
    if world.strikes(world.faults.ledger) { throw FleetNodeError("the disk is full") }
    if adoptions.contains(where: { node.hasReset($0.record) }) {
      throw FleetNodeError("reset meanwhile")
    }
    for adoption in adoptions { world.adopt(adoption, node) }
    if world.strikes(world.faults.ledger) {
      // Done, though it is not known here: the file was opened again.
      node.tellsEverything = true
      throw FleetNodeError("whether it is on disk is not known")
    }
    world.interleave()
    guard isAlive else { throw Self.dead }
  }

  func show(_ views: [FleetView], of generation: UInt64) {
    guard isAlive, generation == node.generation else { return }
    for view in views where isOpen(node.entries[view.budget], view.start) {
      node.others[node.entries[view.budget]] = view
    }
  }

  func showDynamic(_ views: [DynamicView]) {
    guard isAlive else { return }
    for view in views {
      guard let budget = node.budgets.firstIndex(where: { $0.key == view.key }),
        isOpen(budget, view.start)
      else { continue }
      node.others[budget] = FleetView(budget: budget, start: view.start, others: view.others)
    }
  }

  /// An engine passes over a window that it does not have open: one that was reset meanwhile.
  private func isOpen(_ budget: Int, _ start: Timestamp) -> Bool {
    node.ledger.resets[budget].map { start >= $0 } ?? true
  }

  func remember(_ records: [FleetRecord]) throws(FleetNodeError) {
    guard isAlive else { throw Self.dead }
    if world.strikes(world.faults.ledger) { throw FleetNodeError("the disk is full") }
    for record in records where !node.hasReset(record) {
      guard let budget = node.budgets.firstIndex(where: { $0.key == record.key }) else { continue }
      node.ledger.records[budget][record.start] = record
    }
  }

  func heard(_ time: Timestamp, roundTrip: Duration) throws(ClockDoubt) {
    guard isAlive else { return }
    let expected = world.time(of: node)
    let reading = ClockTrust.Reading(
      store: time.unixMilliseconds, expected: expected.unixMilliseconds, wall: world.trueTime,
      elapsed: world.trueTime, uncertainty: 1_000)
    guard world.scenario.believes(&node.trust, reading) else {
      throw ClockDoubt(store: time, expected: expected, boundSeconds: 3_600)
    }
    node.hasHeard = true
    node.skew = time.unixMilliseconds - world.redis.now
  }

  func now() -> Timestamp { world.time(of: node) }
}
