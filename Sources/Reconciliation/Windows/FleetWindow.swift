import BudgetModel

/// A window as the fleet knows it: its start names it, its end orders it.
///
/// The start is the value of LiteLLM's start key cut to milliseconds: the clock of whichever host
/// wrote it, never compared with anything but itself. The end is the last instant that belongs to
/// the window, on the store's clock.
struct FleetWindow: Hashable, Sendable {
  var start: Timestamp
  var end: Timestamp

  /// Whether the window is open at `now`, the store's clock.
  func isOpen(at now: Timestamp) -> Bool { now <= end }
}
