import BudgetModel
import RedisStore

extension Reconciler {
  /// Calls for budgets in which reservations wait, or will soon: the script alone, one round trip. The
  /// spend told is what was last known. A budget without a window that everybody has gets one first, by a
  /// pass over budgets in need of one: then the report is of a pass (`isOfPass`).
  public mutating func callOnDemand(
    _ node: some FleetNode, _ store: inout some FleetStore
  ) throws(PassFailure) -> PassReport {
    let now = node.now()
    let used = budgets.noteUse(of: node, onDemand: true)
    let closed = used.filter { budgets[$0].needsWindow(at: now) }
    guard !closed.isEmpty else { return try callForOpen(node, &store) }
    // The others too: whoever waits for both is granted both at once.
    budgets.urgent = Array(Set(budgets.urgent).union(used)).sorted()
    let keys = closed.map { budgets[$0].key }
    var report: PassReport
    do throws(PassFailure) {
      report = try pass(node, &store, isUrgent: true)
    } catch .ledgerIsLate {
      // A window needs the ledger. The others do not.
      report = try callForOpen(node, &store)
    }
    // Their places are others by now.
    report.unopened = keys.count { key in
      budgets.places[key].map { budgets[$0].needsWindow(at: report.time) } ?? false
    }
    return report
  }

  private mutating func callForOpen(
    _ node: some FleetNode, _ store: inout some FleetStore
  ) throws(PassFailure) -> PassReport {
    let now = node.now()
    var report = PassReport()
    report.time = now
    report.isOfPass = false
    let open = budgets.noteUse(of: node, onDemand: true).filter {
      budgets[$0].adopted?.isOpen(at: now) == true
    }
    isOnDemand = true
    defer { isOnDemand = false }
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
    let offer = claimBook.offer(for: &budgets[index], node, needsMerge: needsMerge)
    guard needsMerge || offer != nil else { return [] }
    return budgets[index].mergeCalls(claiming: offer?.call, mayForce: !isOnDemand).map { call in
      MergeBatch.Merge(
        index: index, call: call, keys: budgets[index].keys, slot: slot,
        offer: call.claim == nil ? nil : offer)
    }
  }

  /// Shows the node what others claim of budgets that no call of this pass was about, and has the store list
  /// what this node claims. Gives budgets of patterns up in which nobody here reserves any more.
  mutating func hearClaims(
    _ node: some FleetNode, _ store: inout some FleetStore
  ) throws(PassFailure) {
    let among = occasion == .lastCall ? Set(budgets.urgent.map { budgets[$0].key }) : nil
    let unheard = claimBook.listing.unheard(budgets, among: among, since: passBegan)
    claimBook.listing.mailbox = node.hasReservations ? node.reservationNode : nil
    let lists = claimBook.listing.commands(
      &budgets, redisKeys, settings.claims, at: node.now())
    let questions = unheard.map { StandingClaims.question($0, origin: node.origin) }
    if !lists.isEmpty || !questions.isEmpty {
      let replies = try store.answers(to: lists + questions)
      for reply in replies.prefix(lists.count) { claimBook.listing.written(reply) }
      try hear(unheard, Array(replies.dropFirst(lists.count)), node, &store)
    }
    for budget in claimBook.listing.takeOver(budgets, since: passBegan) {
      show(.zero, of: budget, node)
    }
    let wanted = Set(node.budgetsWaitedFor())
    for key in budgets.endClaims(besides: wanted, at: node.now()) { node.dropClaims(of: key) }
  }

  private mutating func hear(
    _ asked: [ClaimedBudget], _ replies: [RedisValue], _ node: some FleetNode,
    _ store: inout some FleetStore
  ) throws(PassFailure) {
    let now = node.now()
    var doubtful: [ClaimedBudget] = []
    for (budget, reply) in zip(asked, replies) {
      switch StandingClaims.answer(reply, at: now) {
      case .others(let others): show(others, of: budget, node)
      case .mayHaveEnded: doubtful.append(budget)
      case .unreadable: break
      }
    }
    if doubtful.isEmpty { return }
    let whole = try store.answers(to: doubtful.map(StandingClaims.wholeQuestion))
    for (budget, reply) in zip(doubtful, whole) {
      guard let others = StandingClaims.others(reply, besides: node.origin, at: now) else {
        continue
      }
      show(others, of: budget, node)
    }
  }

  private mutating func show(_ others: PicoUSD, of budget: ClaimedBudget, _ node: some FleetNode) {
    if others > .zero { claimBook.listing.noteShown(budget.key) }
    if let index = budgets.places[budget.key] { budgets[index].claims?.hear(others: others) }
    node.changeClaims(of: budget.key, inWindowFrom: budget.start) { _, claims in
      claims.others = others
    }
  }
}
