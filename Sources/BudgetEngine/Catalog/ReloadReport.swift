public import BudgetModel

/// What a new configuration changed, for the log.
public struct ReloadReport: Sendable {
  /// A budget whose open window was carried on, or closed, because its window's text changed.
  public struct Change: Sendable {
    /// The budget as it was.
    public let from: BudgetKey
    /// The budget as it is now.
    public let to: BudgetKey
    /// What had been spent in the window; nil where none was open.
    public let spend: PicoUSD?
    /// When the window ends or would have ended; nil where none was open.
    public let resetsAt: Timestamp?
  }

  /// Budgets that were not there before.
  public internal(set) var added: [BudgetKey] = []
  /// Budgets that are not there any more. Their spend is kept for as long as their window lasts.
  public internal(set) var removed: [BudgetKey] = []
  /// Budgets whose limit changed.
  public internal(set) var relimited: [BudgetKey] = []
  /// Budgets whose window has another text of the same length: window and spend went on.
  public internal(set) var renamed: [Change] = []
  /// Budgets whose window has another length: the old window was closed.
  public internal(set) var closed: [Change] = []
}
