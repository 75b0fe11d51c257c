public import TLS

/// Handshakes that came to an end, by outcome.
public struct HandshakeCounts: Equatable, Sendable {
  /// Those that were done.
  public var done: UInt64 = 0
  /// Those that failed, by kind.
  public var failed: [TLSFailure.Kind: UInt64] = [:]
  /// Those under way now.
  public var underWay = 0

  /// Makes counts that stand at zero.
  public init() {}
}
