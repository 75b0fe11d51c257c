import BudgetModel
import Testing

@Suite struct PicoUSDTests {
  @Test func halvesOfAPicoDollarRoundToEvenByTheirShortestDecimal() throws {
    let cases: [(Double, Int128)] = [
      (0, 0), (-0.0, 0), (1e-12, 1), (1e-13, 1), (.leastNonzeroMagnitude, 1), (2.5e-12, 2),
      (3.5e-12, 4),
      (4.5e-12, 4), (0.1, 100_000_000_000), (0.3, 300_000_000_000),
      (3.0517578125e-05, 30_517_578), (9007.199254740994, 9_007_199_254_740_994),
      (100_001.1, 100_001_100_000_000_000), (9e9, 9_000_000_000 * 1_000_000_000_000),
    ]
    for (dollars, pico) in cases {
      #expect(try PicoUSD(dollars: dollars, atMost: .maximumRecord).pico == pico, "\(dollars)")
    }
  }

  @Test func everyShortestDecimalOfTwelvePlacesIsExact() throws {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<200_000 {
      // A decimal of at most 15 digits is read back as itself from its nearest double.
      let pico = Int64.random(in: 1..<1_000_000_000_000_000, using: &random)
      let amount = PicoUSD(pico: Int128(pico))
      let read = try PicoUSD(dollars: amount.dollars, atMost: .maximumRecord)
      #expect(read == amount, "\(pico)")
    }
  }

  @Test func theFastPathAgreesWithTheShortestDecimal() throws {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<200_000 {
      let bits = UInt64.random(in: 0..<Double(9e9).bitPattern, using: &random)
      let dollars = Double(bitPattern: bits)
      let read = try PicoUSD(dollars: dollars, atMost: .maximumRecord)
      let digits = max(1, ShortestDecimalOracle.pico(of: dollars))
      #expect(read.pico == digits, "bit pattern \(bits)")
    }
  }

  @Test func amountsOutsideTheBoundsAreRefused() {
    func error(_ dollars: Double) -> MoneyError? {
      do throws(MoneyError) {
        _ = try PicoUSD(dollars: dollars, atMost: .maximumRecord)
        return nil
      } catch { return error }
    }
    #expect(error(.nan) == .notANumber)
    #expect(error(.infinity) == .tooLarge)
    #expect(error(-.infinity) == .negative)
    #expect(error(-1e-300) == .negative)
    #expect(error(9_000_000_000) == nil)
    #expect(error(9_000_000_000.000002) == .tooLarge)
    #expect(error(.greatestFiniteMagnitude) == .tooLarge)
  }

  @Test func dollarsAreTheNearestDouble() {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<100_000 {
      let bits = Int.random(in: 1...100, using: &random)
      let magnitude = UInt128.random(in: 1..<1 << UInt128(bits), using: &random)
      let amount = PicoUSD(pico: Int128(magnitude))
      #expect(amount.dollars == Double(amount.exactText), "\(magnitude)")
      #expect((PicoUSD.zero - amount).dollars == -amount.dollars)
    }
  }

  @Test func textIsWhatPythonPrints() {
    let cases: [(Double, String)] = [
      (0, "0.0"), (1, "1.0"), (0.0001, "0.0001"), (1e-5, "1e-05"), (1e-12, "1e-12"),
      (3.0517578e-5, "3.0517578e-05"), (1e15, "1000000000000000.0"), (1e16, "1e+16"),
      (1.5e300, "1.5e+300"), (-0.25, "-0.25"), (123456.789, "123456.789"), (100, "100.0"),
      (12345678901234568, "1.2345678901234568e+16"), (1e22, "1e+22"), (.nan, "nan"),
    ]
    for (value, text) in cases { #expect(value.pythonText == text) }
    #expect(PicoUSD(pico: 300_000_000_000).pythonText == "0.3")
    #expect(PicoUSD(pico: -1).exactText == "-0.000000000001")
    #expect(PicoUSD(dollars: 12).exactText == "12")
  }
}

/// The definition, taken literally: the description's digits, rounded by hand.
enum ShortestDecimalOracle {
  static func pico(of value: Double) -> Int128 {
    let text = value.description
    let parts = text.split(separator: "e")
    let exponent = parts.count > 1 ? Int(parts[1]) ?? 0 : 0
    let point = parts[0].split(separator: ".", omittingEmptySubsequences: false)
    let fraction = point.count > 1 ? String(point[1]) : ""
    let digits = String(point[0]) + fraction
    // value = 0.digits · 10^(whole digits + exponent); keep 12 places.
    let keep = point[0].count + exponent + 12
    guard keep >= 0 else { return 0 }
    let padded = digits + String(repeating: "0", count: max(0, keep - digits.count))
    let kept = Int128(padded.prefix(keep)) ?? 0
    let lost = padded.dropFirst(keep)
    guard let first = lost.first else { return kept }
    if first > "5" { return kept + 1 }
    if first < "5" { return kept }
    if lost.dropFirst().contains(where: { $0 != "0" }) { return kept + 1 }
    return kept % 2 == 0 ? kept : kept + 1
  }
}
