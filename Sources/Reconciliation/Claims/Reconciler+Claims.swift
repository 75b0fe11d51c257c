import BudgetModel
import RedisStore

extension Reconciler {
  /// Budgets in which this node has reserved something get a place for their claims.
  mutating func noteUse(of node: some FleetNode) {
    for key in node.budgetsInUse() {
      guard let index = places[key], states[index].position != nil, states[index].claims == nil
      else { continue }
      states[index].claims = BudgetClaims()
    }
  }

  /// Calls for budgets in which reservations wait, or will soon: the script alone, one round trip. The
  /// spend told is what was last known.
  public mutating func callOnDemand(
    _ node: some FleetNode, _ store: inout some FleetStore
  ) throws(PassFailure) -> PassReport {
    var report = PassReport()
    report.time = node.now()
    noteUse(of: node)
    let open = node.budgetsInUse().compactMap { places[$0] }.filter { index in
      states[index].position != nil && states[index].adopted?.isOpen(at: report.time) == true
    }
    let merges = open.flatMap { calls(for: $0, slot: nil, node, needsMerge: false) }
    try send(merges, node, &store, &report)
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
