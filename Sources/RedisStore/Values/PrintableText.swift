/// Texts of others, made fit for logs and errors.
enum PrintableText {
  /// Longer ones are cut.
  static let maximumLength = 160

  /// The text, cut, with control characters and those that turn text around escaped.
  static func bounded(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars.prefix(maximumLength) {
      let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
      let turnsText =
        (0x200E...0x200F).contains(scalar.value) || (0x2028...0x202E).contains(scalar.value)
        || (0x2066...0x2069).contains(scalar.value)
      if isControl || turnsText {
        result += "\\u{\(String(scalar.value, radix: 16))}"
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    return text.unicodeScalars.count > maximumLength ? result + "…" : result
  }

  /// The bytes as text: what is not UTF-8 becomes the replacement character.
  static func bounded(_ bytes: some Collection<UInt8>) -> String {
    // Four bytes a character at most, and one more character to see that there is more.
    bounded(String(decoding: bytes.prefix(4 * (maximumLength + 1)), as: UTF8.self))
  }
}
