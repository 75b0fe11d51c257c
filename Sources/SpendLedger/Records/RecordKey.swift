public import BudgetModel

/// Tells one record from all others, and a retry from a clash of keys.
public struct RecordKey: Hashable, Sendable {
  /// The first 16 bytes of the SHA-256 of the key's bytes.
  public var digest: UInt128
  /// The first 16 bytes of the SHA-256 of the request's own fields.
  public var fingerprint: UInt128
  /// When the key was made, where it is a UUIDv7 in its usual text of 36 characters; else nil. In
  /// fleet time, by which keys are forgotten.
  public var madeAt: Timestamp?

  /// Makes a key of digests that are known already; `RecordKeyMaker` computes them.
  public init(digest: UInt128, fingerprint: UInt128, madeAt: Timestamp? = nil) {
    self.digest = digest
    self.fingerprint = fingerprint
    self.madeAt = madeAt
  }
}
