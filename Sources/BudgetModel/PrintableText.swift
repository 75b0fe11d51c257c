// Texts of others go to logs, terminals and errors: none may forge a line, steer a terminal or turn
// what stands around it.

extension String {
  /// The text with everything escaped that would steer a terminal, begin a line or turn the text
  /// around: `\u{1b}`.
  public var printable: String {
    guard unicodeScalars.contains(where: \.steersText) else { return self }
    var text = ""
    for scalar in unicodeScalars {
      if scalar.steersText {
        text += "\\u{\(String(scalar.value, radix: 16))}"
      } else {
        text.unicodeScalars.append(scalar)
      }
    }
    return text
  }

  /// The same of the first `length` characters; what is longer ends with an ellipsis.
  public func printable(upTo length: Int) -> String {
    let scalars = unicodeScalars
    let start = String(String.UnicodeScalarView(scalars.prefix(length)))
    let isWhole = scalars.dropFirst(length).isEmpty
    return isWhole ? start.printable : start.printable + "…"
  }
}

extension Unicode.Scalar {
  /// Control characters, line and paragraph separators, and what sets the direction of text.
  fileprivate var steersText: Bool {
    switch value {
    case 0..<0x20, 0x7F...0x9F, 0x061C, 0x200E, 0x200F, 0x2028...0x202E, 0x2066...0x2069: true
    default: false
    }
  }
}
