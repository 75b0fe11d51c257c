/// A password that prints as nothing but its presence.
public struct RedisPassword: Hashable, Sendable {
  let bytes: [UInt8]

  /// Wraps a password.
  public init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Wraps a password.
  public init(_ text: String) { bytes = Array(text.utf8) }
}

extension RedisPassword: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// Never the password.
  public var description: String { "(hidden)" }
  /// Never the password.
  public var debugDescription: String { "(hidden)" }
  /// Nothing, so that `dump` shows nothing either.
  public var customMirror: Mirror { Mirror(self, children: []) }
}
