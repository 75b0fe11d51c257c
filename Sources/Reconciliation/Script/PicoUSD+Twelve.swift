import BudgetModel

extension PicoUSD {
  /// `dollars.pppppppppppp`, as the script and the marker have it. Precondition: not negative.
  var twelveDecimals: String {
    precondition(self >= .zero, "totals are not negative")
    let (whole, rest) = pico.magnitude.quotientAndRemainder(dividingBy: UInt128(Self.picoPerDollar))
    let digits = String(rest)
    return "\(whole)." + String(repeating: "0", count: Self.decimals - digits.count) + digits
  }

  /// Reads what `twelveDecimals` writes, at most 24 digits of dollars; nil for anything else.
  init?(twelveDecimals text: String) {
    let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    guard parts.count == 2, parts[1].count == Self.decimals, (1...24).contains(parts[0].count)
    else { return nil }
    var pico: Int128 = 0
    for digit in [parts[0], parts[1]].joined() {
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
      pico = pico * 10 + Int128(digit - UInt8(ascii: "0"))
    }
    self.init(pico: pico)
  }
}
