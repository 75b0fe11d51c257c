extension PicoUSD {
  /// The amount exactly, in dollars: `0.000000000001`, `12.5`, `-3`. No exponent, no zeros at the
  /// end.
  public var exactText: String {
    let (whole, rest) = pico.magnitude.quotientAndRemainder(
      dividingBy: UInt128(Self.picoPerDollar))
    var text = pico < 0 ? "-\(whole)" : "\(whole)"
    if rest > 0 {
      var decimals = String(rest)
      decimals = String(repeating: "0", count: Self.decimals - decimals.count) + decimals
      while decimals.last == "0" { decimals.removeLast() }
      text += "." + decimals
    }
    return text
  }

  /// Reads what `exactText` writes; nil where it is something else, or more than 10^24 dollars.
  public init?(exactText text: String) {
    let isNegative = text.utf8.first == UInt8(ascii: "-")
    let parts = text.dropFirst(isNegative ? 1 : 0).split(
      separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    let decimals = parts.count > 1 ? parts[1] : ""
    guard let whole = parts.first, (1...24).contains(whole.utf8.count),
      parts.count == 1 || (1...Self.decimals).contains(decimals.utf8.count)
    else { return nil }
    let padded = decimals + String(repeating: "0", count: Self.decimals - decimals.utf8.count)
    let digits = whole + padded
    guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let pico = Int128(digits) else {
      return nil
    }
    self.init(pico: isNegative ? -pico : pico)
  }

  /// The amount as LiteLLM prints it: the nearest double as Python shows it (`1.0`, `0.0001`,
  /// `1e-05`, `1e+16`).
  public var pythonText: String {
    String(decoding: PythonNumber.bytes(appendPythonText), as: UTF8.self)
  }

  /// Appends `pythonText` to UTF-8. No text is built, unless the amount has more than 15 digits.
  public func appendPythonText(to bytes: inout [UInt8]) {
    guard let decimal = ShortestDecimal(self) else { return dollars.appendPythonText(to: &bytes) }
    PythonNumber.append(decimal, isNegative: pico < 0, to: &bytes)
  }
}

extension Double {
  /// The number as Python's `repr` shows it: the shortest digits that read back as the same double,
  /// with an exponent below 10⁻⁴ and from 10¹⁶ on.
  public var pythonText: String {
    String(decoding: PythonNumber.bytes(appendPythonText), as: UTF8.self)
  }

  /// Appends `pythonText` to UTF-8.
  public func appendPythonText(to bytes: inout [UInt8]) {
    guard isFinite else {
      bytes.append(contentsOf: (isNaN ? "nan" : self < 0 ? "-inf" : "inf").utf8)
      return
    }
    PythonNumber.append(ShortestDecimal(magnitude), isNegative: sign == .minus, to: &bytes)
  }
}

extension ShortestDecimal {
  /// The digits of an amount without its sign; nil where it has more than 15 of them.
  ///
  /// Up to 15 digits name one double each, so that no shorter decimal reads back as the same one.
  fileprivate init?(_ amount: PicoUSD) {
    guard var digits = UInt64(exactly: amount.pico.magnitude) else { return nil }
    var exponent = -PicoUSD.decimals
    while digits > 0, digits % 10 == 0 {
      digits /= 10
      exponent += 1
    }
    guard digits < 1_000_000_000_000_000 else { return nil }
    self.init(digits: digits, exponent: exponent)
  }
}

/// How Python lays a number's digits out.
private enum PythonNumber {
  static func bytes(_ append: (inout [UInt8]) -> Void) -> [UInt8] {
    var bytes: [UInt8] = []
    append(&bytes)
    return bytes
  }

  static func append(_ decimal: ShortestDecimal, isNegative: Bool, to bytes: inout [UInt8]) {
    if isNegative { bytes.append(UInt8(ascii: "-")) }
    guard decimal.digits > 0 else {
      bytes.append(contentsOf: "0.0".utf8)
      return
    }
    let count = digitCount(decimal.digits)
    // The value is d.ddd · 10^power.
    let power = decimal.exponent + count - 1
    if power < -4 || power >= 16 {
      append(digits: decimal.digits, count: count, pointAfter: 1, to: &bytes)
      bytes.append(contentsOf: (power < 0 ? "e-" : "e+").utf8)
      let number = UInt64(power.magnitude)
      append(digits: number, count: max(2, digitCount(number)), pointAfter: .max, to: &bytes)
    } else if power < 0 {
      bytes.append(contentsOf: "0.".utf8)
      appendZeros(-power - 1, to: &bytes)
      append(digits: decimal.digits, count: count, pointAfter: .max, to: &bytes)
    } else {
      append(digits: decimal.digits, count: count, pointAfter: power + 1, to: &bytes)
      if count <= power + 1 {
        appendZeros(power + 1 - count, to: &bytes)
        bytes.append(contentsOf: ".0".utf8)
      }
    }
  }

  /// The `count` last digits of `number`, with a point after the first `pointAfter` if more follow.
  private static func append(
    digits number: UInt64, count: Int, pointAfter: Int, to bytes: inout [UInt8]
  ) {
    let hasPoint = pointAfter < count
    let start = bytes.count
    appendZeros(count + (hasPoint ? 1 : 0), to: &bytes)
    var rest = number
    var index = bytes.count - 1
    while index >= start {
      if hasPoint, index == start + pointAfter {
        bytes[index] = UInt8(ascii: ".")
      } else {
        bytes[index] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
        rest /= 10
      }
      index -= 1
    }
  }

  private static func appendZeros(_ count: Int, to bytes: inout [UInt8]) {
    for _ in 0..<count { bytes.append(UInt8(ascii: "0")) }
  }

  private static func digitCount(_ number: UInt64) -> Int {
    var (count, bound) = (1, UInt64(10))
    while number >= bound {
      count += 1
      if count == 20 { break }
      bound *= 10
    }
    return count
  }
}
