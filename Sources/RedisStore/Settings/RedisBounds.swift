/// What one exchange with Redis, a command or a pipeline, may hold.
public struct RedisBounds: Hashable, Sendable {
  /// Commands in one pipeline.
  public var commands = 16_384
  /// Bytes of all commands of one exchange, as arguments count them.
  public var requestBytes = 16 << 20
  /// Bytes of all replies of one exchange.
  public var replyBytes = 16 << 20
  /// Elements of all arrays in all replies of one exchange.
  public var replyElements = 262_144

  /// The bounds that are in force unless others are set.
  public static let standard = RedisBounds()
}
