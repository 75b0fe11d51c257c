/// One configured budget: a cap on dollars for a scope over a window.
public struct BudgetDefinition: Hashable, Sendable {
  /// What the budget counts.
  public var key: BudgetKey
  /// How long a window lasts; the parsed form of `key.windowText`.
  public var windowLength: WindowLength
  /// The cap. Nil: unlimited. Zero: nothing may be spent.
  public var limit: PicoUSD?

  /// Makes a budget; `windowLength` is what `key.windowText` parses to.
  public init(key: BudgetKey, windowLength: WindowLength, limit: PicoUSD?) {
    self.key = key
    self.windowLength = windowLength
    self.limit = limit
  }
}
