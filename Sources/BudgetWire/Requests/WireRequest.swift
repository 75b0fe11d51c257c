/// A request as it lies in the decoder's arena. Valid only within the call that passed it.
public struct WireRequest {
  /// Names the call; from 1, and 0 for an empty frame only.
  public let callID: UInt64
  /// Milliseconds after which the caller no longer waits; 0 = none.
  public let timeoutMilliseconds: UInt32
  /// What is asked.
  public let method: WireMethod
}
