import BudgetModel
import RedisStore

extension Reconciler {
  /// Budgets in which this node has reserved something, or would like to, get a place for their claims,
  /// and a window. Returns their positions among the states.
  @discardableResult
  mutating func noteUse(of node: some FleetNode) -> [Int] {
    for index in states.indices where states[index].claims?.isWanted == true {
      states[index].claims?.isWanted = false
    }
    return node.budgetsInUse().compactMap { key in
      guard let index = places[key], states[index].position != nil else { return nil }
      if states[index].claims == nil { states[index].claims = BudgetClaims() }
      states[index].claims?.isWanted = true
      return index
    }
  }

  /// Calls for budgets in which reservations wait, or will soon: the script alone, one round trip. The
  /// spend told is what was last known. A budget without a window that everybody has gets one first, by a
  /// pass over budgets in need of one: then the report is of a pass (`isOfPass`).
  public mutating func callOnDemand(
    _ node: some FleetNode, _ store: inout some FleetStore
  ) throws(PassFailure) -> PassReport {
    let now = node.now()
    let used = noteUse(of: node)
    let closed = used.filter { states[$0].needsWindow(at: now) }
    if !closed.isEmpty {
      // The others too: whoever waits for both is granted both at once.
      urgent = Array(Set(urgent).union(used)).sorted()
      var report = try pass(node, &store, isUrgent: true)
      report.unopened = closed.count { states[$0].needsWindow(at: report.time) }
      return report
    }
    var report = PassReport()
    report.time = now
    report.isOfPass = false
    let open = used.filter { states[$0].adopted?.isOpen(at: now) == true }
    let merges = open.flatMap { calls(for: $0, slot: nil, node, needsMerge: false) }
    try send(merges, node, &store, &report)
    show(merges.map(\.index), node, at: now)
    report.claimsRefusal = claimBook.refusal
    return report
  }

  /// The calls of the script for one budget; none where it needs none.
  mutating func calls(
    for index: Int, slot: Int?, _ node: some FleetNode, needsMerge: Bool
  ) -> [MergeBatch.Merge] {
    let offer = claimBook.offer(for: &states[index], node, needsMerge: needsMerge)
    guard needsMerge || offer != nil else { return [] }
    return states[index].mergeCalls(claiming: offer?.call).map { call in
      MergeBatch.Merge(
        index: index, call: call, keys: states[index].keys, slot: slot,
        offer: call.claim == nil ? nil : offer)
    }
  }
}
