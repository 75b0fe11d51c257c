import CCrypto

/// SHA-256 of a text. This file is the only one that touches the C library.
enum SHA256Digest {
  /// The digest of the text's UTF-8 in 64 lower-case hexadecimal digits.
  static func hexadecimal(of text: String) -> String {
    var text = text
    var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
    text.withUTF8 { bytes in
      unsafe digest.withUnsafeMutableBufferPointer { digest in
        _ = unsafe SHA256(bytes.baseAddress, bytes.count, digest.baseAddress)
      }
    }
    let digits = Array("0123456789abcdef".utf8)
    return String(
      decoding: digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}
