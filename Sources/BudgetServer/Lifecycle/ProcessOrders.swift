/// Decides what a process does about the orders that it gets: a value, which names the next action.
///
/// One reload runs and one more waits, however many are asked for: the last file is what counts. An
/// order to end comes before them all.
public struct ProcessOrders: Equatable, Sendable {
  /// An order, or news of one.
  public enum Event: Equatable, Sendable {
    /// The server is ready.
    case ready
    /// The configuration is to be read again.
    case reload
    /// A reload has ended.
    case reloaded
    /// The process is to end.
    case end
  }

  /// The next action.
  public enum Action: Equatable, Sendable {
    /// Say that the server is ready.
    case announce
    /// Begin a reload; `Event.reloaded` follows.
    case beginReload
    /// Drain, whatever else goes on, and end.
    case drain
  }

  /// Whether a reload is under way: where the process ends, its result is thrown away.
  public private(set) var isReloading = false
  private var isReloadWaiting = false
  private var isEnding = false

  /// Nothing was asked for.
  public init() {}

  /// Notes what happened; says what to do about it, at most one thing.
  public mutating func take(_ event: Event) -> Action? {
    switch event {
    case .reloaded: isReloading = false
    case .ready: return isEnding ? nil : .announce
    case .reload: isReloadWaiting = true
    case .end:
      if isEnding { return nil }
      isEnding = true
      return .drain
    }
    guard isReloadWaiting, !isReloading, !isEnding else { return nil }
    isReloadWaiting = false
    isReloading = true
    return .beginReload
  }
}
