import Digest

/// Tokens: secrets that say who a client is.
public enum AccessToken {
  /// How many bytes a token may have.
  public static let lengths = 1...256

  /// A new token: `bd_` and 32 random bytes in 43 characters of base64url.
  public static func random(using generator: inout some RandomNumberGenerator) -> String {
    var bytes: [UInt8] = []
    for _ in 0..<4 {
      let word = generator.next()
      for shift in stride(from: 0, to: 64, by: 8) {
        bytes.append(UInt8(truncatingIfNeeded: word >> shift))
      }
    }
    return "bd_" + base64URL(bytes)
  }

  private static let alphabet = Array(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

  /// Without padding.
  static func base64URL(_ bytes: [UInt8]) -> String {
    var text: [UInt8] = []
    var (bits, count) = (UInt32(0), 0)
    for byte in bytes {
      bits = bits << 8 | UInt32(byte)
      count += 8
      while count >= 6 {
        count -= 6
        text.append(alphabet[Int(bits >> UInt32(count)) & 63])
      }
    }
    if count > 0 { text.append(alphabet[Int(bits << UInt32(6 - count)) & 63]) }
    return String(decoding: text, as: UTF8.self)
  }
}

/// The SHA-256 of a token: all that is kept of it.
public struct TokenDigest: Hashable, Sendable {
  /// The first 16 bytes, by which it is looked up.
  let high: UInt128
  private let low: UInt128

  private static let prefix = "sha256:"

  /// The digest of a token's bytes.
  public init(of token: [UInt8]) {
    let bytes = SHA256Digest.bytes(of: token)
    func number(_ bytes: ArraySlice<UInt8>) -> UInt128 { bytes.reduce(0) { $0 << 8 | UInt128($1) } }
    high = number(bytes[..<16])
    low = number(bytes[16...])
  }

  /// Reads `sha256:` and 64 hexadecimal digits; nil where the text is something else.
  init?(_ text: String) {
    let digits = text.dropFirst(Self.prefix.count)
    guard text.hasPrefix(Self.prefix), digits.utf8.count == 64,
      digits.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0 | 0x20) }),
      let high = UInt128(digits.prefix(32), radix: 16),
      let low = UInt128(digits.suffix(32), radix: 16)
    else { return nil }
    self.high = high
    self.low = low
  }

  /// Whether both are the same: all 32 bytes are looked at, wherever they differ.
  func isSame(as other: TokenDigest) -> Bool { (high ^ other.high) | (low ^ other.low) == 0 }

  /// As the access file has it: `sha256:` and 64 hexadecimal digits.
  public var text: String {
    Self.prefix
      + [high, low].map { half in
        let digits = String(half, radix: 16)
        return String(repeating: "0", count: 32 - digits.count) + digits
      }.joined()
  }
}
