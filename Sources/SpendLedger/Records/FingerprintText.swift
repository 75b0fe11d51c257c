import BudgetModel

/// What a record's fingerprint is the SHA-256 of: the request's own fields, each with its length
/// before it, so that no two requests have the same text.
///
/// Kept by whoever meets the same fields with other costs again.
public struct FingerprintText: Sendable {
  /// The first byte: the version of this rule.
  static let version: UInt8 = 1
  var bytes = ByteText(room: 256)
  /// Where the cost stands.
  var costOffset = 0

  /// A text of nothing.
  public init() {}

  /// How many bytes it has.
  public var count: Int { bytes.count }

  /// Becomes a copy of `other` in its own memory.
  public mutating func copy(_ other: borrowing FingerprintText) {
    bytes.copy(other.bytes)
    costOffset = other.costOffset
  }

  /// Lets go of what one large request has taken.
  mutating func shrink() {
    if bytes.room > 8_192 { self = FingerprintText() }
  }
}
