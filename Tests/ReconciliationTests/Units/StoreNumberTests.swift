import BudgetModel
import SeededRandom
import Testing

@testable import Reconciliation

@Suite struct StoreNumberTests {
  @Test(
    arguments: [
      ("0", 0), ("0.0", 0), ("1", 1_000_000_000_000), ("1e-05", 10_000_000),
      ("1E+2", 100_000_000_000_000),
      ("0.000000000001", 1), ("0.0000000000004", 0), ("0.0000000000005", 1), ("5e-13", 1),
      ("-0.0000000000005", -1), ("00000000000024.5", 24_500_000_000_000), (".5", 500_000_000_000),
      ("5.", 5_000_000_000_000), ("+3", 3_000_000_000_000), ("1e-400", 0), ("0e400", 0),
      ("9000008240.41482766065746546", 9_000_008_240_414_827_660_657),
    ] as [(String, Int128)])
  func amounts(_ text: String, _ pico: Int128) {
    #expect(StoreNumber.amount(text) == PicoUSD(pico: pico))
  }

  @Test(arguments: [
    "", "-", "+", ".", "e", "1e", "e5", "1e5.0", "1..2", "1.2.3", "--1", "+-1", " 1", "1 ", "1,5",
    "0x10", "nan", "inf", "Infinity", "1e401", "1e400", "1e25", "１", "1_000",
    "1e99999999999999999999", "1e-9223372036854775808", "1e9223372036854775807",
    String(repeating: "1", count: 65), String(repeating: "9", count: 64),
  ])
  func noAmounts(_ text: String) {
    #expect(StoreNumber.amount(text) == nil)
  }

  @Test func whatWeAndOthersWriteIsReadBack() {
    var random = SeededRandom(seed: 1)
    for _ in 0..<5_000 {
      let digits = 1 + random.below(18)
      let amount = PicoUSD(pico: Int128(random.next() % UInt64(pow10(digits))))
      #expect(StoreNumber.amount(amount.exactText) == amount)
      #expect(StoreNumber.amount(amount.twelveDecimals) == amount)
      #expect(PicoUSD(twelveDecimals: amount.twelveDecimals) == amount)
      // Below 9,000 $ a double names twelve decimals.
      if digits < 16 { #expect(StoreNumber.amount(amount.pythonText) == amount) }
      let instant = Timestamp(unixMilliseconds: Int64(random.below(253_402_300_799_999)))
      #expect(StoreNumber.instant(StoreNumber.text(instant)) == instant)
    }
  }

  private func pow10(_ exponent: Int) -> Int { (0..<exponent).reduce(1) { power, _ in power * 10 } }

  @Test func instants() {
    func milliseconds(_ text: String) -> Int64? { StoreNumber.instant(text)?.unixMilliseconds }
    #expect(milliseconds("1795345098.748117") == 1_795_345_098_748)
    #expect(milliseconds("1795345098.748999") == 1_795_345_098_748)
    #expect(milliseconds("1.795345098748117e9") == 1_795_345_098_748)
    #expect(milliseconds("0") == 0)
    #expect(milliseconds("253402300799.999") == Timestamp.latest.unixMilliseconds)
    #expect(milliseconds("253402300800") == nil)
    #expect(milliseconds("-0.001") == nil)
  }

  @Test(arguments: [
    "1", "1.0", "1.00000000000", "1.0000000000000", "1234567890123456789012345.000000000000",
    ".000000000000",
    "-1.000000000000", "1.00000000000a", "a.000000000000", "1.000000000000.", " 1.000000000000",
  ])
  func notTwelveDecimals(_ text: String) {
    #expect(PicoUSD(twelveDecimals: text) == nil)
  }
}
