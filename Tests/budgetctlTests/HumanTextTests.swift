import BudgetModel
import JSONWriting
import Testing

@testable import budgetctl

@Suite struct HumanTextTests {
  @Test(arguments: [
    (0, "$0.00"), (1, "$1.00"), (1_234.5, "$1,234.50"), (-2.5, "-$2.50"),
    (999_999, "$999,999.00"), (1_000_000, "$1,000,000.00"), (1e-12, "$0.000000000001"),
    (0.1, "$0.10"), (-1_234_567.125, "-$1,234,567.125"), (.infinity, "$inf"),
  ])
  func moneyIsExact(_ dollars: Double, _ text: String) {
    #expect(HumanText.money(dollars) == text)
  }

  @Test func limitsAreExactPastDoubles() {
    #expect(HumanText.money(PicoUSD(pico: 123_456_789_012_345_678)) == "$123,456.789012345678")
    #expect(HumanText.money(PicoUSD(pico: -1)) == "-$0.000000000001")
  }

  @Test(arguments: [
    (0, "$0.00"), (3.141592653589, "$3.1416"), (12.5, "$12.50"), (0.000123456789, "$0.000123"),
    (1e-12, "$0.000000000001"), (-0.00012345, "-$0.000123"), (0.01234567, "$0.0123"),
    (99.99999, "$100.00"), (1e15, "$1,000,000,000,000,000.00"),
  ])
  func roundedMoneyKeepsWhatPeopleRead(_ dollars: Double, _ text: String) {
    #expect(HumanText.roundedMoney(dollars) == text)
  }

  @Test(arguments: [
    (-5, "now"), (0, "now"), (1, "1 s"), (1_000, "1 s"), (61_000, "1 min 1 s"),
    (3_600_000, "1 h"), (86_399_001, "1 d"), (90_000_000, "1 d 1 h"), (86_400_000 * 400, "400 d"),
  ])
  func durationsInWords(_ milliseconds: Int64, _ text: String) {
    #expect(HumanText.duration(milliseconds: milliseconds) == text)
  }

  /// Whatever a server sends, it is shown: nothing traps.
  @Test(arguments: [
    Double.nan, .infinity, -.infinity, 1e300, -1e300, -0.0, .leastNonzeroMagnitude,
    .greatestFiniteMagnitude,
  ])
  func absurdNumbersHaveATextToo(_ number: Double) {
    for text in [
      HumanText.money(number), HumanText.roundedMoney(number), HumanText.percent(fill: number),
    ] {
      #expect(!text.isEmpty)
    }
    #expect(HumanText.bar(fill: number, width: 4).count <= 4)
    for milliseconds in [Int64.min, -1, 0, .max] {
      #expect(!HumanText.duration(milliseconds: milliseconds).isEmpty)
      #expect(!HumanText.duration(from: milliseconds, to: Int64.max &+ Int64(5)).isEmpty)
      #expect(!HumanText.duration(from: .max, to: milliseconds).isEmpty)
      #expect(!JSONValue.instant(milliseconds).text.isEmpty)
    }
    #expect(HumanText.duration(from: .min, to: .max) == "for ever")
    #expect(HumanText.duration(from: .max, to: .min) == "now")
  }

  @Test func barsAreFullOnlyAtTheLimit() {
    #expect(HumanText.bar(fill: 0, width: 4) == "░░░░")
    #expect(HumanText.bar(fill: 0.001, width: 4) == "█░░░")
    #expect(HumanText.bar(fill: 0.999, width: 4) == "███░")
    #expect(HumanText.bar(fill: 1, width: 4) == "████")
    #expect(HumanText.bar(fill: 50, width: 4) == "████")
    #expect(HumanText.percent(fill: 0.0001) == "< 1 %")
    #expect(HumanText.percent(fill: 0.999) == "99 %")
    #expect(HumanText.percent(fill: 1e300) == "> 999 %")
  }
}
