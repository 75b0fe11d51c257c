/// Whether a plain scalar has the form of a YAML 1.1 number, and of which.
enum YAMLNumberForm {
  case none
  case integer
  case float

  /// Looks at the form only: `0b_` has the form of a whole number though it is not one.
  init(_ text: String) {
    var scanner = Scanner(bytes: Array(text.utf8))
    self = scanner.form()
  }

  private struct Scanner {
    let bytes: [UInt8]
    var index = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { index == bytes.count }

    var next: UInt8 { index < bytes.count ? bytes[index] : 0 }

    mutating func form() -> YAMLNumberForm {
      let isSigned = next == UInt8(ascii: "+") || next == UInt8(ascii: "-")
      if isSigned { index += 1 }
      if next == UInt8(ascii: ".") { return afterPoint(isSigned: isSigned) }
      guard Self.isDigit(next) else { return .none }
      let start = index
      if isPrefixed() { return .integer }
      index = start
      skip { Self.isDigit($0) || $0 == UInt8(ascii: "_") }
      let digits = bytes[start..<index]
      if isAtEnd { return isWhole(digits) ? .integer : .none }
      if next == UInt8(ascii: ".") { return fraction() }
      return sexagesimal(digits)
    }

    /// `.5`, `.inf`, `.nan`; of these only `.inf` takes a sign.
    private mutating func afterPoint(isSigned: Bool) -> YAMLNumberForm {
      switch String(decoding: bytes[index...], as: UTF8.self) {
      case ".inf", ".Inf", ".INF": return .float
      case ".nan", ".NaN", ".NAN": return isSigned ? .none : .float
      default: break
      }
      guard !isSigned, index + 1 < bytes.count, Self.isDigit(bytes[index + 1]) else { return .none }
      return fraction()
    }

    /// From the point on: digits and underscores, then perhaps an exponent, which needs its sign.
    private mutating func fraction() -> YAMLNumberForm {
      index += 1
      skip { Self.isDigit($0) || $0 == UInt8(ascii: "_") }
      if isAtEnd { return .float }
      guard next | 0x20 == UInt8(ascii: "e") else { return .none }
      index += 1
      guard next == UInt8(ascii: "+") || next == UInt8(ascii: "-") else { return .none }
      index += 1
      let start = index
      skip(Self.isDigit)
      return isAtEnd && index > start ? .float : .none
    }

    /// `0b1`, `0x1F`.
    private mutating func isPrefixed() -> Bool {
      guard next == UInt8(ascii: "0"), index + 2 < bytes.count else { return false }
      let mark = bytes[index + 1]
      index += 2
      switch mark {
      case UInt8(ascii: "b"): skip { $0 & 0xFE == UInt8(ascii: "0") || $0 == UInt8(ascii: "_") }
      case UInt8(ascii: "x"):
        skip {
          Self.isDigit($0) || $0 == UInt8(ascii: "_")
            || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0 | 0x20)
        }
      default: return false
      }
      return isAtEnd
    }

    /// `0`, an octal number behind a 0, a decimal one.
    private func isWhole(_ digits: ArraySlice<UInt8>) -> Bool {
      guard digits.first == UInt8(ascii: "0") else { return true }
      return digits.allSatisfy {
        (UInt8(ascii: "0")...UInt8(ascii: "7")).contains($0) || $0 == UInt8(ascii: "_")
      }
    }

    /// `1:30`, `1:30.5`: each further part is 0 to 59 in one or two digits.
    private mutating func sexagesimal(_ first: ArraySlice<UInt8>) -> YAMLNumberForm {
      guard next == UInt8(ascii: ":") else { return .none }
      while next == UInt8(ascii: ":") {
        index += 1
        let start = index
        skip(Self.isDigit)
        let part = bytes[start..<index]
        guard part.count == 1 || part.count == 2 && part[start] <= UInt8(ascii: "5") else {
          return .none
        }
      }
      if isAtEnd { return first.first == UInt8(ascii: "0") ? .none : .integer }
      guard next == UInt8(ascii: ".") else { return .none }
      index += 1
      skip { Self.isDigit($0) || $0 == UInt8(ascii: "_") }
      return isAtEnd ? .float : .none
    }

    private mutating func skip(_ isWanted: (UInt8) -> Bool) {
      while index < bytes.count, isWanted(bytes[index]) { index += 1 }
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
      (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
  }
}
