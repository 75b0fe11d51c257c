/// Numbers in text as Python's constructors read them.
public enum PythonNumber {
  /// The most digits that Python turns into a whole number.
  static let maximumDigits = 4_300

  /// The value of `float(text)`, or nil if it raises: blanks around, underscores between digits,
  /// digits of any script, `inf`, `infinity` and `nan` in any case.
  public static func float(_ text: String) -> Double? {
    guard let plain = normalized(text, radix: 10) else { return nil }
    var rest = plain[...]
    let isNegative = rest.first == UInt8(ascii: "-")
    if isNegative || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
    switch String(decoding: rest, as: UTF8.self).lowercased() {
    case "inf", "infinity": return isNegative ? -.infinity : .infinity
    case "nan": return .nan
    default: break
    }
    guard isDecimal(rest) else { return nil }
    guard let number = Double(String(decoding: rest, as: UTF8.self)) else { return nil }
    return isNegative ? -number : number
  }

  /// The value of `int(text, radix)` in decimal digits, or nil if it raises. No prefixes.
  static func integer(_ text: String, radix: Int) -> String? {
    guard let plain = normalized(text, radix: radix) else { return nil }
    var rest = plain[...]
    let isNegative = rest.first == UInt8(ascii: "-")
    if isNegative || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
    guard !rest.isEmpty, rest.count <= maximumDigits else { return nil }
    // Base 10⁹, the least significant part first.
    var parts: [UInt64] = []
    for byte in rest {
      guard let digit = hexadecimal(byte), digit < radix else { return nil }
      var carry = UInt64(digit)
      if radix == 10 { continue }
      for index in parts.indices {
        let sum = parts[index] * UInt64(radix) + carry
        parts[index] = sum % 1_000_000_000
        carry = sum / 1_000_000_000
      }
      if carry > 0 { parts.append(carry) }
    }
    let digits: String
    if radix == 10 {
      let significant = rest.drop { $0 == UInt8(ascii: "0") }
      digits = significant.isEmpty ? "0" : String(decoding: significant, as: UTF8.self)
    } else {
      digits = decimal(parts)
    }
    return isNegative && digits != "0" ? "-" + digits : digits
  }

  /// The sum of `parts` times powers of 60, the last one times 1, in decimal digits.
  static func sexagesimal(_ parts: [String]) -> String? {
    var total: Int128 = 0
    for part in parts {
      guard let part = Int128(part) else { return nil }
      let (product, overflow) = total.multipliedReportingOverflow(by: 60)
      let (sum, past) = product.addingReportingOverflow(part)
      guard !overflow, !past else { return nil }
      total = sum
    }
    return String(total)
  }

  private static func decimal(_ parts: [UInt64]) -> String {
    var text = ""
    for part in parts.reversed() {
      let digits = String(part)
      text += text.isEmpty ? digits : String(repeating: "0", count: 9 - digits.count) + digits
    }
    return text.isEmpty ? "0" : text
  }

  /// The text without blanks around it and underscores between digits, its digits in ASCII. Nil
  /// where an underscore stands elsewhere or a character can be in no number.
  private static func normalized(_ text: String, radix: Int) -> [UInt8]? {
    var scalars = Array(text.unicodeScalars)[...]
    while let first = scalars.first, isBlank(first) { scalars = scalars.dropFirst() }
    while let last = scalars.last, isBlank(last) { scalars = scalars.dropLast() }
    var bytes: [UInt8] = []
    var isAfterDigit = false
    var needsDigit = false
    for scalar in scalars {
      if scalar == "_" {
        guard isAfterDigit, !needsDigit else { return nil }
        needsDigit = true
        continue
      }
      var byte = UInt8(ascii: "?")
      if scalar.isASCII {
        byte = UInt8(scalar.value)
      } else if scalar.properties.numericType == .decimal,
        let value = scalar.properties.numericValue
      {
        byte = UInt8(ascii: "0") + UInt8(value)
      } else {
        return nil
      }
      isAfterDigit = hexadecimal(byte).map { $0 < radix } ?? false
      if needsDigit, !isAfterDigit { return nil }
      needsDigit = false
      bytes.append(byte)
    }
    return needsDigit ? nil : bytes
  }

  private static func isBlank(_ scalar: Unicode.Scalar) -> Bool {
    scalar.properties.isWhitespace || (0x1C...0x1F).contains(scalar.value)
  }

  private static func hexadecimal(_ byte: UInt8) -> Int? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(byte - UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "f"): Int(byte - UInt8(ascii: "a")) + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): Int(byte - UInt8(ascii: "A")) + 10
    default: nil
    }
  }

  /// Digits, perhaps a point among or beside them, perhaps an exponent.
  private static func isDecimal(_ bytes: ArraySlice<UInt8>) -> Bool {
    let isDigit = { (byte: UInt8) in (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
    let whole = bytes.prefix(while: isDigit)
    var rest = bytes.dropFirst(whole.count)
    var digits = whole.count
    if rest.first == UInt8(ascii: ".") {
      let fraction = rest.dropFirst().prefix(while: isDigit)
      digits += fraction.count
      rest = rest.dropFirst(1 + fraction.count)
    }
    guard digits > 0 else { return false }
    guard let mark = rest.first else { return true }
    guard mark == UInt8(ascii: "e") || mark == UInt8(ascii: "E") else { return false }
    rest = rest.dropFirst()
    if rest.first == UInt8(ascii: "-") || rest.first == UInt8(ascii: "+") {
      rest = rest.dropFirst()
    }
    return !rest.isEmpty && rest.allSatisfy(isDigit)
  }
}
