/// Where fleet time comes from. The engine never asks it: callers read it once per request, or
/// once per commit batch, and pass the instant on.
public protocol TimeSource: Sendable {
  /// The fleet time now. Never runs backwards within one process.
  func now() -> Timestamp

  /// This host's wall clock now, as it is set at this moment: it may jump. Times that callers bear
  /// with them, in their keys, are of such clocks.
  func wall() -> Timestamp
}
