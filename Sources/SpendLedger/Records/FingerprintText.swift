import BudgetModel

/// The text that a record's fingerprint is the SHA-256 of: the request's own fields, each with its
/// length before it, so that no two requests have the same text.
///
/// Kept by whoever meets the same fields with other costs again. In it, in this order: the version;
/// provider, deployment and model; the reservation; the cost; how many tags, and each; the public
/// model name, where the request gives one.
public struct FingerprintText: Sendable {
  /// The first byte: the version of this rule.
  static let version: UInt8 = 1
  var bytes = ByteText(room: 256)
  /// How many bytes stand before the reservation.
  var subjectLength = 0
  /// The place of the cost.
  var costOffset = 0

  /// A text of nothing.
  public init() {}

  /// How many bytes it has.
  public var count: Int { bytes.count }

  /// Becomes a copy of `other` in its own memory.
  public mutating func copy(_ other: borrowing FingerprintText) {
    bytes.copy(other.bytes)
    subjectLength = other.subjectLength
    costOffset = other.costOffset
  }

  /// Becomes a copy of what `other` says of provider, deployment and model.
  public mutating func copySubject(of other: borrowing FingerprintText) {
    bytes.removeAll()
    bytes.append(other.bytes, 0..<other.subjectLength)
    subjectLength = other.subjectLength
    costOffset = 0
  }

  /// Becomes a copy of what `other` says, but for its reservation and cost: those are given.
  mutating func copy(
    _ other: borrowing FingerprintText, reservationID: NameBytes, cost: PicoUSD
  ) {
    copySubject(of: other)
    bytes.append(bytesOf: UInt32(truncatingIfNeeded: reservationID.count).littleEndian)
    bytes.append(reservationID)
    costOffset = bytes.count
    bytes.append(bytesOf: cost.pico.littleEndian)
    bytes.append(other.bytes, other.costOffset + MemoryLayout<Int128>.size..<other.bytes.count)
  }

  /// Becomes a copy of `other` without its reservation.
  public mutating func copyWithoutReservation(of other: borrowing FingerprintText) {
    copy(other, reservationID: .absent, cost: .zero)
  }

  /// Lets go of what one large request has taken.
  mutating func shrink() {
    if bytes.room > 8_192 { self = FingerprintText() }
  }
}
