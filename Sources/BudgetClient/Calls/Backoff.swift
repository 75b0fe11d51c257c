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
