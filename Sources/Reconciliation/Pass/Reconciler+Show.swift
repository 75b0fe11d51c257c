import BudgetModel

extension Reconciler {
  /// Shows the engine what others have spent, where that is news.
  mutating func show(_ chosen: [Int], _ node: some FleetNode, at now: Timestamp) {
    var views: [FleetView] = []
    var dynamicViews: [DynamicView] = []
    for index in chosen {
      guard let record = budgets[index].record else { continue }
      if let total = budgets[index].total, budgets[index].record?.total != total {
        budgets[index].record?.total = total
        budgets[index].isUnremembered = true
      }
      if let dynamic = budgets[index].dynamic {
        // Its own spend of an earlier life would be taken for others'.
        guard !dynamic.isInherited else { continue }
        let view = FleetView(budget: -1, start: record.start, others: budgets[index].others)
        guard budgets[index].shown != view else { continue }
        // A first view of zero changes nothing: the node counts zero already.
        let isNews = budgets[index].shown != nil || view.others > .zero
        budgets[index].shown = view
        if isNews {
          dynamicViews.append(
            DynamicView(key: budgets[index].key, start: view.start, others: view.others))
        }
        continue
      }
      guard let position = budgets[index].position else { continue }
      let view = FleetView(budget: position, start: record.start, others: budgets[index].others)
      if budgets[index].shown != view {
        budgets[index].shown = view
        views.append(view)
      }
    }
    if let generation = budgets.generation, !views.isEmpty { node.show(views, of: generation) }
    if !dynamicViews.isEmpty { node.showDynamic(dynamicViews) }
  }

  /// Has the node keep what is known of the fleet, now and then: losing it loses no money.
  mutating func remember(_ node: some FleetNode, at now: Timestamp, all: Bool) {
    let since = rememberedAt.map { now.unixMilliseconds - $0.unixMilliseconds } ?? .max
    if !all, since < settings.rememberMilliseconds { return }
    rememberedAt = now
    var records = budgets.endedRecords
    for index in budgets.indices
    where budgets[index].isUnremembered && budgets[index].dynamic == nil {
      guard var record = budgets[index].record else { continue }
      record.at = now
      record.nodes = budgets.nodeCount
      records.append(record)
    }
    guard !records.isEmpty else { return }
    do throws(FleetNodeError) {
      try node.remember(records)
      for index in budgets.indices { budgets[index].isUnremembered = false }
      budgets.endedRecords = []
    } catch {
      budgets.endedRecords = budgets.endedRecords.suffix(settings.pullBound)
      // Tried again with the next pass that remembers: the ledger says itself what is wrong.
    }
  }
}
