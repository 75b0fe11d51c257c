import BudgetEngine
import BudgetModel
import BudgetWire
import SpendLedger

/// Windows that operators end: the old one for good, the new one from what they say.
extension ChangeDesk {
  /// A budget's window as it stands.
  private struct Standing {
    let rule: WindowRule
    /// Its start; nil: none is open.
    var startedAt: Timestamp?
    var spend = PicoUSD.zero
    var others = PicoUSD.zero

    init(_ report: BudgetReport, _ rule: WindowRule) {
      self.rule = rule
      startedAt = report.startedAt
      spend = report.spend
      others = report.spend - report.ownSpend
    }

    /// A name that nobody has charged yet.
    init(_ rule: WindowRule) { self.rule = rule }
  }

  /// Ends the open window of a budget, here and in the ledger, and begins the next one. On the desk's
  /// queue.
  func reset(
    _ order: ChangeOrder, _ entry: inout AuditEntry
  ) throws(ServiceRefusal) -> ResetBudgetResponse {
    guard case .reset(let amount) = order.deed else {
      throw ServiceRefusal(.internal, "an order that resets nothing")
    }
    let now = time.now()
    try order.refuseAlias(in: engine.catalog)
    let key = try BudgetsOfName(order.nameKey, in: engine, at: now).entry(for: order).key
    // The place of a frozen name, which has no window.
    guard !key.windowText.isEmpty else {
      throw ServiceRefusal(
        .notFound,
        "\(order.words) has no budget in the configuration: it is frozen, and spends nothing")
    }
    entry.target = key
    guard !engine.catalog.patternsInForce.contains(where: { $0.key == key }) else {
      throw ServiceRefusal(
        .invalidArgument,
        "name: \(order.words) is a pattern; each of its names has a window of its own: give one")
    }
    guard let standing = standing(of: key, at: now) else {
      throw ServiceRefusal(.notFound, "\(order.words) has no budget per \(key.windowText) any more")
    }
    // A window that LiteLLM opened on a host whose clock is ahead began after now.
    let began = standing.startedAt ?? now
    let start = max(now, Timestamp(unixMilliseconds: began.unixMilliseconds + 1))
    let register = BudgetChange.Register(.reset, key)
    let table = table
    try makeRoom(for: register, at: now)
    let change = BudgetChange(
      register, .reset(to: amount), reason: order.reason, by: order.author, at: start,
      version: ChangeVersion(at: start, replacing: table[register]?.version, by: node))
    (entry.before, entry.after) = ("\(standing.spend.exactText) spent", change.setting.words)
    let notes = ChangeNotes([change], [entry])
    let adoption = adoption(change, standing, amount, notes)
    try Self.keep { () throws(LedgerError) in try ledger.adopt([adoption]) }
    took(change)
    return ResetBudgetResponse(BudgetOverride(change), spendUSD: standing.spend.dollars)
  }

  /// Ends the window that another node has reset, unless it is over here already. `isNew`: it is the
  /// first time that this node hears of it.
  func endWindow(_ change: BudgetChange, isNew: Bool, at now: Timestamp) {
    let key = change.register.target
    guard let standing = standing(of: key, at: now),
      standing.rule.window(at: change.madeAt).end >= now
    else { return }
    if let started = standing.startedAt {
      // Redis may have told of the new window before: the old one still ends where the new one begins.
      guard started < change.madeAt || isNew && started == change.madeAt else { return }
    }
    do throws(LedgerError) {
      try ledger.adopt([adoption(change, standing, .zero, ChangeNotes())])
    } catch {
      audit.tell("the window of \(key) could not be ended, the next start tries again: \(error)")
    }
  }

  /// Nil: there is no such budget.
  private func standing(of key: BudgetKey, at now: Timestamp) -> Standing? {
    let catalog = engine.catalog
    return NameBytes.with(key.name) { name in
      if let budget = catalog.budgets(key.scope, name).first(where: { $0.definition.key == key }) {
        return Standing(engine.report(on: budget, at: now), budget.definition.rule)
      }
      let reading = DynamicReading(of: engine, in: catalog, at: now)
      if let live = reading.budgets(key.scope, name).first(where: { $0.report.key == key }) {
        return Standing(live.report, live.rule)
      }
      return reading.rule(of: key).map { Standing($0) }
    }
  }

  private func adoption(
    _ change: BudgetChange, _ standing: Standing, _ amount: PicoUSD, _ notes: ChangeNotes
  ) -> FleetAdoption {
    let start = change.madeAt
    let window = BudgetWindow(
      key: change.register.target, start: start, end: standing.rule.window(at: start).end)
    var adoption = FleetAdoption(
      moving: [], closing: standing.startedAt.map { [$0] } ?? [],
      record: FleetWindow(window: window, at: start))
    adoption.reset = WindowReset(
      amount: amount, others: standing.others,
      isInFleet: isInFleet && standing.startedAt != start, notes: notes)
    return adoption
  }
}
