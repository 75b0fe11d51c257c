import BudgetModel

extension Reconciler {
  /// Shows the engine what others have spent, where that is news.
  mutating func show(_ chosen: [Int], _ node: some FleetNode, at now: Timestamp) {
    var views: [FleetView] = []
    for index in chosen {
      guard let record = states[index].record else { continue }
      if let total = states[index].total, states[index].record?.total != total {
        states[index].record?.total = total
        states[index].isUnremembered = true
      }
      guard let position = states[index].position else { continue }
      let view = FleetView(budget: position, start: record.start, others: states[index].others)
      if states[index].shown != view {
        states[index].shown = view
        views.append(view)
      }
    }
    if let generation, !views.isEmpty { node.show(views, of: generation) }
  }

  /// Has the node keep what is known of the fleet. Only news, and not in every pass: it is for the
  /// next start, and losing it loses no money.
  mutating func remember(_ node: some FleetNode, at now: Timestamp, all: Bool) {
    if let rememberedAt, !all,
      now.unixMilliseconds - rememberedAt.unixMilliseconds < settings.rememberMilliseconds
    {
      return
    }
    rememberedAt = now
    var records: [FleetRecord] = []
    for index in states.indices where states[index].isUnremembered {
      guard var record = states[index].record else { continue }
      record.at = now
      record.nodes = nodeCount
      records.append(record)
    }
    guard !records.isEmpty else { return }
    do throws(FleetNodeError) {
      try node.remember(records)
      for index in states.indices { states[index].isUnremembered = false }
    } catch {
      // Tried again with the next pass that remembers: the ledger says itself what is wrong.
    }
  }
}
