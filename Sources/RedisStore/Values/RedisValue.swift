/// Redis' reply to one command.
public enum RedisValue: Hashable, Sendable {
  /// Nothing: an absent key.
  case null
  /// A status, such as `OK`.
  case status([UInt8])
  /// A text or any other bytes.
  case bytes([UInt8])
  /// A whole number.
  case integer(Int64)
  /// Several values.
  case array([RedisValue])
  /// Redis refused the command.
  case error(RedisRefusal)
}

extension RedisValue {
  /// The bytes of a text or a status.
  public var bytes: [UInt8]? {
    switch self {
    case .bytes(let bytes), .status(let bytes): bytes
    default: nil
    }
  }

  /// The number, where the value is one.
  public var integer: Int64? {
    if case .integer(let number) = self { number } else { nil }
  }

  /// The values, where there are several.
  public var array: [RedisValue]? {
    if case .array(let values) = self { values } else { nil }
  }

  /// The refusal, where the value is one.
  public var refusal: RedisRefusal? {
    if case .error(let refusal) = self { refusal } else { nil }
  }
}
