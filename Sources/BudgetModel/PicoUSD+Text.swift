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
  public var pythonText: String { dollars.pythonText }
}

extension Double {
  /// The number as Python's `repr` shows it: the shortest digits that read back as the same double,
  /// with an exponent below 10⁻⁴ and from 10¹⁶ on.
  public var pythonText: String {
    guard isFinite else { return isNaN ? "nan" : self < 0 ? "-inf" : "inf" }
    let sign = self.sign == .minus ? "-" : ""
    guard self != 0 else { return sign + "0.0" }
    let decimal = ShortestDecimal(magnitude)
    let digits = String(decimal.digits)
    // The value is d.ddd · 10^power.
    let power = decimal.exponent + digits.count - 1
    if power < -4 || power >= 16 {
      let rest = digits.dropFirst()
      let number = String(power.magnitude)
      return sign + digits.prefix(1) + (rest.isEmpty ? "" : "." + rest) + (power < 0 ? "e-" : "e+")
        + (number.count < 2 ? "0" + number : number)
    }
    if power < 0 {
      return sign + "0." + String(repeating: "0", count: -power - 1) + digits
    }
    if digits.count <= power + 1 {
      return sign + digits + String(repeating: "0", count: power + 1 - digits.count) + ".0"
    }
    return sign + digits.prefix(power + 1) + "." + digits.dropFirst(power + 1)
  }
}
