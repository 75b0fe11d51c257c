import BudgetModel
import Testing

@testable import PrometheusText

@Suite struct MetricsTextTests {
  private func text(_ write: (inout MetricsText) -> Void) -> String {
    var text = MetricsText()
    write(&text)
    return String(decoding: text.bytes, as: UTF8.self)
  }

  @Test func aFamilyHasItsHelpItsTypeAndItsSamples() {
    let text = text {
      $0.begin("house_doors", .gauge, "Doors, \"open\" \\ shut\nor gone.")
      $0.sample(3, LabelSet([("floor", "1"), ("side", "west")]))
      $0.sample(-4)
      $0.sample(UInt64.max)
      $0.sample(true)
    }
    #expect(
      text == """
        # HELP house_doors Doors, "open" \\\\ shut\\nor gone.
        # TYPE house_doors gauge
        house_doors{floor="1",side="west"} 3
        house_doors -4
        house_doors 18446744073709551615
        house_doors 1

        """)
  }

  @Test(arguments: [
    (#"a"b"#, #"a\"b"#), (#"a\b"#, #"a\\b"#), ("a\nb", #"a\nb"#), (#"\n"#, #"\\n"#),
    (#"\""#, #"\\\""#), ("", ""), ("é, 日本 }{=", "é, 日本 }{="),
    ("\r\u{0}\u{2028}", "\r\u{0}\u{2028}"),
    (#"x"} 1\n"#, #"x\"} 1\\n"#),
  ])
  func hostileLabelValuesAreEscaped(value: String, escaped: String) {
    let text = text {
      $0.begin("m", .gauge, "M.")
      $0.sample(1, LabelSet([("name", value)]))
    }
    #expect(text.hasSuffix("\nm{name=\"\(escaped)\"} 1\n"))
  }

  @Test func moneyIsWrittenWithAllItsDecimals() {
    for (pico, written) in [
      (0, "0"), (1, "0.000000000001"), (-1, "-0.000000000001"), (12_500_000_000_000, "12.5"),
      (-7_500_000_000_000, "-7.5"), (300_000_000_000, "0.3"),
      (1_000_000_000_001, "1.000000000001"), (9_223_372_036_854_775_807, "9223372.036854775807"),
      // Past 64 bits.
      (PicoUSD.maximumLimit.pico, "1000000000000000"),
      (-PicoUSD.maximumLimit.pico - 1, "-1000000000000000.000000000001"),
    ] as [(Int128, String)] {
      var bytes: [UInt8] = []
      DecimalText.append(PicoUSD(pico: pico), to: &bytes)
      #expect(String(decoding: bytes, as: UTF8.self) == written)
      #expect(PicoUSD(pico: pico).exactText == written)
    }
  }

  @Test func manyAmountsAreWrittenAsTheirExactText() {
    var random = SystemRandomNumberGenerator()
    for _ in 0..<20_000 {
      let shift = UInt64.random(in: 0..<64, using: &random)
      let amount = PicoUSD(pico: Int128(Int64.random(in: .min ... .max, using: &random) >> shift))
      var bytes: [UInt8] = []
      DecimalText.append(amount, to: &bytes)
      #expect(String(decoding: bytes, as: UTF8.self) == amount.exactText)
    }
  }

  @Test func secondsAreExact() {
    let text = text {
      $0.begin("t_seconds", .gauge, "T.")
      $0.sample(nanoseconds: 1_000_000_001)
      $0.sample(nanoseconds: -5)
      $0.sample(milliseconds: 1_768_478_400_007)
      $0.sample(0.25)
      $0.sample(Double.nan)
      $0.sample(-Double.infinity)
    }
    #expect(
      text.hasSuffix(
        """
        t_seconds 1.000000001
        t_seconds -0.000000005
        t_seconds 1768478400.007
        t_seconds 0.25
        t_seconds NaN
        t_seconds -Inf

        """))
  }

  @Test func aHistogramIsCumulated() {
    var histogram = Histogram(upperBounds: [5_000, 1_000_000])
    for value in [1, 5_000, 5_001, 1_000_000, 1_000_001] as [Int64] { histogram.add(value) }
    histogram.add(2, times: 3)
    let text = text {
      $0.begin("wait_seconds", .histogram, "W.")
      $0.sample(histogram, unit: .nanoseconds, LabelSet([("method", "Ping")]))
      $0.begin("size", .histogram, "S.")
      $0.sample(Histogram(upperBounds: [1, 2]))
    }
    #expect(
      text == """
        # HELP wait_seconds W.
        # TYPE wait_seconds histogram
        wait_seconds_bucket{method="Ping",le="0.000005"} 5
        wait_seconds_bucket{method="Ping",le="0.001"} 7
        wait_seconds_bucket{method="Ping",le="+Inf"} 8
        wait_seconds_sum{method="Ping"} 0.002010009
        wait_seconds_count{method="Ping"} 8
        # HELP size S.
        # TYPE size histogram
        size_bucket{le="1"} 0
        size_bucket{le="2"} 0
        size_bucket{le="+Inf"} 0
        size_sum 0
        size_count 0

        """)
  }

  @Test(arguments: [
    ("a", true), ("a_b:c9", true), ("_a", true), ("", false), ("9a", false), ("a-b", false),
    ("é", false), ("a b", false),
  ])
  func namesAreJudged(name: String, isName: Bool) {
    #expect(MetricName.isFamily(name.utf8) == isName)
  }

  @Test func labelsAreJudged() {
    #expect(MetricName.isLabel("le".utf8))
    #expect(!MetricName.isLabel("a:b".utf8))
    #expect(!MetricName.isLabel("__name__".utf8))
  }

  @Test func mistakesOfProgrammersStopTheProcess() async {
    await #expect(processExitsWith: .failure) {
      var text = MetricsText()
      text.sample(1)
    }
    await #expect(processExitsWith: .failure) {
      var text = MetricsText()
      text.begin("a", .gauge, "A.")
      text.begin("a", .gauge, "A.")
    }
    await #expect(processExitsWith: .failure) {
      var text = MetricsText()
      text.begin("a", .counter, "A.")
    }
    await #expect(processExitsWith: .failure) { _ = LabelSet([("a", "1"), ("a", "2")]) }
  }

  @Test func labelsAreJoined() {
    let (one, two) = (LabelSet([("a", "x\"")]), LabelSet([("b", "y"), ("c", "")]))
    #expect(one.adding(two) == LabelSet([("a", "x\""), ("b", "y"), ("c", "")]))
    #expect(one.adding(.none) == one && LabelSet.none.adding(two) == two)
  }
}
