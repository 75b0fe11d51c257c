public import BudgetModel
import Digest

/// What an idempotency key is known by.
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
  func key(with text: borrowing FingerprintText) -> RecordKey {
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
    guard key.count == 36 else { return nil }
    var time: Int64 = 0
    for index in 0..<key.count {
      let byte = key[index]
      if [8, 13, 18, 23].contains(index) {
        guard byte == UInt8(ascii: "-") else { return nil }
        continue
      }
      guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { return nil }
      if index == 14, digit != 7 { return nil }
      if index == 19, digit & 0b1100 != 0b1000 { return nil }
      if index < 13 { time = time << 4 | Int64(digit) }
    }
    return Timestamp(unixMilliseconds: time)
  }
}
