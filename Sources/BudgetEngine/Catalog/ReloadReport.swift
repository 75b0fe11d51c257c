public import BudgetModel

/// The changes that a new configuration made, for the log.
public struct ReloadReport: Sendable {
  /// A budget whose open window was carried on, or closed, because its window's text changed.
  public struct Change: Sendable {
    /// The budget as it was.
    public let from: BudgetKey
    /// The budget as it is now.
    public let to: BudgetKey
    /// The spend in the window; nil if none was open.
    public let spend: PicoUSD?
    /// When the window ends or would have ended; nil where none was open.
    public let resetsAt: Timestamp?

    init(from: BudgetKey, to: BudgetKey, state: SlotState, at now: Timestamp) {
      self.from = from
      self.to = to
      spend = state.isOpen(at: now) ? state.spend(at: now) : nil
      resetsAt = state.resetsAt(at: now)
    }
  }

  /// Budgets that were not there before.
  public internal(set) var added: [BudgetKey] = []
  /// Budgets that are not there any more. Their spend is kept for as long as their window lasts.
  public internal(set) var removed: [BudgetKey] = []
  /// Budgets whose limit changed.
  public internal(set) var relimited: [BudgetKey] = []
  /// Budgets whose mode changed.
  public internal(set) var remoded: [BudgetKey] = []
  /// Budgets whose calendar changed, in its zone or first day: their open windows end as they were
  /// opened.
  public internal(set) var recalendared: [BudgetKey] = []
  /// Budgets whose window has another text of the same length: window and spend went on.
  public internal(set) var renamed: [Change] = []
  /// Slots that belonged to other budgets before: what was known by them is void.
  public internal(set) var reusedSlots: [Int32] = []
  /// Windows of providers that were opened, since none was open.
  public internal(set) var opened: [BudgetWindowState] = []
  /// Budgets whose window has another length: the old window was closed.
  public internal(set) var closed: [Change] = []

  /// Notes which budgets are gone and which have another limit, mode or calendar; `closed` is complete.
  mutating func compare(_ before: BudgetCatalog, with after: BudgetCatalog) {
    let closedKeys = Set(closed.map(\.from))
    for slot in before.slots {
      guard Int(slot) < after.budgetIndexes.count, after.budgetIndexes[Int(slot)] >= 0 else {
        let key = before.keys[slot]
        if !closedKeys.contains(key) { removed.append(key) }
        continue
      }
      let (wasLimit, isLimit) = (
        before.policies.limits[Int(slot)], after.policies.limits[Int(slot)]
      )
      if isLimit != wasLimit { relimited.append(after.keys[slot]) }
      if after.policies.configuredMode(of: slot) != before.policies.configuredMode(of: slot) {
        remoded.append(after.keys[slot])
      }
      let (old, new) = (
        before.policies.calendar(of: slot), after.policies.calendar(of: slot)
      )
      if let old, let new, old != new { recalendared.append(after.keys[slot]) }
    }
    // As configured: changes made meanwhile go on, whatever the file says.
    let patterns = after.patterns.configured
    for old in before.patterns.configured {
      guard let new = patterns.first(where: { $0.key == old.key }) else { continue }
      if new.policy.limit != old.policy.limit { relimited.append(new.key) }
      if new.policy.mode != old.policy.mode { remoded.append(new.key) }
    }
  }
}
