import BudgetModel

extension Reconciler {
  /// Shows the engine what others have spent, where that is news.
  mutating func show(_ chosen: [Int], _ node: some FleetNode, at now: Timestamp) {
    var views: [FleetView] = []
    var dynamicViews: [DynamicView] = []
    for index in chosen {
      guard let record = states[index].record else { continue }
      if let total = states[index].total, states[index].record?.total != total {
        states[index].record?.total = total
        states[index].isUnremembered = true
      }
      if let dynamic = states[index].dynamic {
        // Its own spend of an earlier life would be taken for others'.
        guard !dynamic.isInherited else { continue }
        let view = FleetView(budget: -1, start: record.start, others: states[index].others)
        guard states[index].shown != view else { continue }
        // A first view of zero changes nothing: the node counts zero already.
        let isNews = states[index].shown != nil || view.others > .zero
        states[index].shown = view
        if isNews {
          dynamicViews.append(
            DynamicView(key: states[index].key, start: view.start, others: view.others))
        }
        continue
      }
      guard let position = states[index].position else { continue }
      let view = FleetView(budget: position, start: record.start, others: states[index].others)
      if states[index].shown != view {
        states[index].shown = view
        views.append(view)
      }
    }
    if let generation, !views.isEmpty { node.show(views, of: generation) }
    if !dynamicViews.isEmpty { node.showDynamic(dynamicViews) }
  }

  /// Has the node keep what is known of the fleet, now and then: losing it loses no money.
  mutating func remember(_ node: some FleetNode, at now: Timestamp, all: Bool) {
    let since = rememberedAt.map { now.unixMilliseconds - $0.unixMilliseconds } ?? .max
    if !all, since < settings.rememberMilliseconds { return }
    rememberedAt = now
    var records = endedRecords
    for index in states.indices where states[index].isUnremembered && states[index].dynamic == nil {
      guard var record = states[index].record else { continue }
      record.at = now
      record.nodes = nodeCount
      records.append(record)
    }
    guard !records.isEmpty else { return }
    do throws(FleetNodeError) {
      try node.remember(records)
      for index in states.indices { states[index].isUnremembered = false }
      endedRecords = []
    } catch {
      endedRecords = endedRecords.suffix(settings.pullBound)
      // Tried again with the next pass that remembers: the ledger says itself what is wrong.
    }
  }
}
