/// One call of a script: the keys it touches, and its arguments.
public struct RedisScriptCall: Hashable, Sendable {
  /// All of one cluster slot.
  public var keys: [[UInt8]]
  /// Anything else.
  public var arguments: [[UInt8]]

  /// Makes a call.
  public init(keys: [[UInt8]], arguments: [[UInt8]]) {
    self.keys = keys
    self.arguments = arguments
  }
}
