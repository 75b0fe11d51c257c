public import BudgetModel

/// A window of the fleet that is this node's own from now on.
public struct AdoptedWindow: Equatable, Sendable {
  /// The window, and what all lives of this node have recorded in it.
  public var spent: SpentWindow
  /// What others were last known to have spent in it.
  public var others: PicoUSD
  /// The windows, by their start, that it takes the place of.
  public var replaced: [Timestamp]

  /// Makes an adopted window.
  public init(spent: SpentWindow, others: PicoUSD, replaced: [Timestamp]) {
    self.spent = spent
    self.others = others
    self.replaced = replaced
  }
}
