/// The settings of a client, besides its server.
public struct BudgetClientSettings: Hashable, Sendable {
  /// How long a call waits for its answer where the call itself says nothing; connecting and
  /// waiting for a turn included. Sent to the server too. More than zero.
  public var timeout: Duration = .seconds(5)
  /// The most calls under way; further ones wait for their turn. The server reads no more than
  /// 4,096 of one connection. At least 1.
  public var maximumCallsUnderWay = 4_096
  /// The most calls that wait for a turn or a connection; further ones end at once with
  /// `tooManyCalls`. At least 1.
  public var maximumCallsWaiting = 65_536
  /// The token that says who the client is, shown first on each connection; nil: none is shown.
  public var token: BudgetClientToken?
  /// The longest wait before connecting again after one failure. It doubles with each further one;
  /// the wait itself is random, from nothing to that.
  public var shortestBackoff: Duration = .milliseconds(50)
  /// The longest wait before connecting again, however often it failed.
  public var longestBackoff: Duration = .seconds(5)

  /// How connections are encrypted; nil: they are in the clear. Never used with a Unix socket.
  public var security: BudgetClientSecurity?

  /// The standard settings, to be changed one by one.
  public init() {}

  var bounds: CallTracker.Bounds {
    precondition(maximumCallsUnderWay > 0, "a client needs at least one call under way")
    precondition(maximumCallsWaiting > 0, "a client needs room for at least one waiting call")
    precondition(shortestBackoff >= .zero, "a wait is not negative")
    precondition(longestBackoff >= shortestBackoff, "the longest wait is shorter than the shortest")
    var bounds = CallTracker.Bounds()
    bounds.callsUnderWay = maximumCallsUnderWay
    bounds.callsWaiting = maximumCallsWaiting
    bounds.backoff = Backoff(shortest: shortestBackoff, longest: longestBackoff)
    return bounds
  }
}

/// How long to wait before connecting again: exponential, with full jitter, so that the clients of
/// a server that went away do not come back all at once.
struct Backoff: Hashable {
  /// The longest wait after the first failure.
  var shortest: Duration
  /// The longest wait after any failure.
  var longest: Duration

  /// The wait after `failures` failures in a row; `fraction` is random, from 0 up to 1.
  func delay(failures: Int, fraction: Double) -> Duration {
    guard failures > 0 else { return .zero }
    var most = shortest
    for _ in 1..<failures where most < longest { most = most * 2 }
    return min(most, longest) * fraction
  }
}
