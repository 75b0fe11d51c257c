/// A Lua script that Redis runs as one step.
///
/// Its SHA-1, by which Redis knows it, comes from Redis itself: each link loads a script before it
/// first uses it.
public struct RedisScript: Hashable, Sendable {
  /// The script's text.
  public let text: [UInt8]

  /// Wraps a script.
  public init(_ text: String) { self.text = Array(text.utf8) }
}
