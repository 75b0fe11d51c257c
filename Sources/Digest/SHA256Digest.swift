import CCrypto

/// SHA-256. This file is the only one that touches the C library.
public enum SHA256Digest {
  /// The digest of the text's UTF-8 in 64 lower-case hexadecimal digits.
  public static func hexadecimal(of text: String) -> String {
    let digits = Array("0123456789abcdef".utf8)
    let digest = bytes(of: Array(text.utf8))
    return String(
      decoding: digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }

  /// The 32 bytes of the digest.
  public static func bytes(of message: [UInt8]) -> [UInt8] {
    unsafe [UInt8](unsafeUninitializedCapacity: Int(SHA256_DIGEST_LENGTH)) { digest, count in
      guard let base = digest.baseAddress else { return }
      unsafe message.withUnsafeBytes { unsafe ccrypto_sha256($0.baseAddress, UInt($0.count), base) }
      count = Int(SHA256_DIGEST_LENGTH)
    }
  }

  /// The first 16 bytes of the digest, read as a big-endian number. Allocates nothing.
  public static func prefix(of message: [UInt8]) -> UInt128 {
    prefix(of: unsafe message.span.bytes)
  }

  /// As of an array.
  public static func prefix(of message: RawSpan) -> UInt128 {
    // Four words: 32 bytes, where the digest fits and is aligned.
    var digest: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    unsafe withUnsafeMutableBytes(of: &digest) { digest in
      guard let base = unsafe digest.assumingMemoryBound(to: UInt8.self).baseAddress else { return }
      unsafe message.withUnsafeBytes { unsafe ccrypto_sha256($0.baseAddress, UInt($0.count), base) }
    }
    return UInt128(UInt64(bigEndian: digest.0)) << 64 | UInt128(UInt64(bigEndian: digest.1))
  }
}
