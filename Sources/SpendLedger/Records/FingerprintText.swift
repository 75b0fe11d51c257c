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
}
