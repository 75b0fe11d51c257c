public import BudgetModel

/// A window that the fleet has, as this node has made it its own, and what is known of it.
public struct FleetWindow: Equatable, Sendable {
  /// The window, as the fleet knows it.
  public var window: BudgetWindow
  /// The fleet's total when it was heard last, this node's part included.
  public var total: PicoUSD
  /// The highest total that was ever heard.
  public var highest: PicoUSD
  /// The part of this node's own spend that the store has confirmed, by origin.
  public var confirmed: [String: PicoUSD]
  /// How many nodes the fleet had.
  public var nodes: Int
  /// When that was, fleet time.
  public var at: Timestamp

  /// Makes a window of which nothing is known yet.
  public init(window: BudgetWindow, at: Timestamp) {
    self.window = window
    total = .zero
    highest = .zero
    confirmed = [:]
    nodes = 1
    self.at = at
  }

  /// How long after its end a window may still matter to a start, in milliseconds. Its row stays as
  /// long as the budget's history.
  static let mattersAfterEnd: Int64 = 3_600 * 1_000

  /// The spend of others in it when it was heard of last.
  public var others: PicoUSD { max(total - confirmed.values.reduce(.zero, +), .zero) }
}
