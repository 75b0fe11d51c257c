import Documents

/// A password that prints as nothing but its presence.
public struct RedisSecret: Hashable, Sendable {
  /// The password itself. Never for logs.
  public let revealed: String

  /// Wraps a password.
  public init(_ password: String) { revealed = password }

  /// Whether both have the same bytes.
  public static func == (left: RedisSecret, right: RedisSecret) -> Bool {
    left.revealed.hasSameBytes(as: right.revealed)
  }
}

extension RedisSecret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// Never the password.
  public var description: String { "(hidden)" }
  /// Never the password.
  public var debugDescription: String { "(hidden)" }
  /// Nothing, so that `dump` shows nothing either.
  public var customMirror: Mirror { Mirror(self, children: []) }
}
