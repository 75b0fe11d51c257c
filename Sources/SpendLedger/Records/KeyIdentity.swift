public import BudgetModel
import Digest

/// The identity of an idempotency key.
public struct KeyIdentity: Sendable {
  /// The first 16 bytes of the SHA-256 of the key's bytes.
  public let digest: UInt128
  /// When the key was made, where it is a UUIDv7 in its usual text of 36 characters; else nil. As
  /// the key has it, of its maker's wall clock; the ledger wants it in fleet time.
  public var madeAt: Timestamp?

  /// The longest key, in bytes.
  public static let maximumKeyLength = 256

  /// The identity of `key`. Precondition: it has 1 to 256 bytes.
  public init(of key: NameBytes) {
    precondition(
      (1...Self.maximumKeyLength).contains(key.count), "a key of 0 or more than 256 bytes")
    digest = key.withBytes { SHA256Digest.prefix(of: $0) }
    madeAt = Self.uuidTime(of: key)
  }

  /// The record's key where the request's fields are those of `text`.
  public func key(with text: borrowing FingerprintText) -> RecordKey {
    RecordKey(
      digest: digest, fingerprint: text.bytes.withBytes { SHA256Digest.prefix(of: $0) },
      madeAt: madeAt)
  }

  /// As `key(with:)`, after `cost` has taken the place of the one in the text.
  public func key(with text: inout FingerprintText, cost: PicoUSD) -> RecordKey {
    text.bytes.write(bytesOf: cost.pico.littleEndian, at: text.costOffset)
    return key(with: text)
  }

  /// The time in a UUIDv7's text. Only the usual form with four hyphens counts: any 32 hexadecimal
  /// digits, say an MD5, would be taken for a UUIDv7 once in 64 times, and be refused for its age.
  static func uuidTime(of key: NameBytes) -> Timestamp? {
    guard key.count == 36, key[14] == UInt8(ascii: "7") else { return nil }
    var time: Int64 = 0
    for index in 0..<36 {
      let byte = key[index]
      if index == 8 || index == 13 || index == 18 || index == 23 {
        guard byte == UInt8(ascii: "-") else { return nil }
        continue
      }
      guard let digit = hexadecimalDigit(byte) else { return nil }
      if index == 19, digit & 0b1100 != 0b1000 { return nil }
      if index < 13 { time = time << 4 | Int64(digit) }
    }
    return Timestamp(unixMilliseconds: time)
  }

  @inline(__always)
  private static func hexadecimalDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
