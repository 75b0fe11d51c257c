import BudgetModel
import Foundation
import Testing

@Suite struct TimeTests {
  @Test func instantsAreReadAndWrittenAsFoundationDoes() throws {
    let formatter = ISO8601DateFormatter()
    for _ in 0..<20_000 {
      // From the first day of the Gregorian calendar, before which Foundation goes on in the Julian.
      let seconds = Int64.random(in: -12_219_292_800...253_402_300_799)
      let text = formatter.string(from: Date(timeIntervalSince1970: Double(seconds)))
      let instant = try #require(Timestamp(iso8601: text))
      #expect(instant.unixMilliseconds == seconds * 1_000, "\(text)")
      #expect(instant.iso8601 == text.dropLast() + ".000Z")
      #expect(instant.pythonISOFormat == text.dropLast() + "+00:00")
    }
    #expect(
      Timestamp(iso8601: "2026-01-15T01:30:00.25+01:30")?.iso8601 == "2026-01-15T00:00:00.250Z")
    #expect(
      Timestamp(unixMilliseconds: 1_500).pythonISOFormat == "1970-01-01T00:00:01.500000+00:00")
    for text in [
      "", "2026-02-29T00:00:00Z", "2026-01-15", "2026-01-15T00:00:00", "2026-13-01T00:00:00Z",
      "2026-01-15T24:00:00Z", "2026-01-15T00:00:00+0100",
    ] {
      #expect(Timestamp(iso8601: text) == nil, "\(text)")
    }
  }

  @Test func monthsAreCalendarMonths() throws {
    let cases: [(String, String, String)] = [
      ("2026-01-31T12:00:00Z", "1mo", "2026-02-28T12:00:00.000Z"),
      ("2028-01-31T12:00:00Z", "1mo", "2028-02-29T12:00:00.000Z"),
      ("2026-12-31T23:59:59Z", "2mo", "2027-02-28T23:59:59.000Z"),
      ("2026-11-30T00:00:00Z", "120mo", "2036-11-30T00:00:00.000Z"),
      ("2026-01-15T00:00:00Z", "99999999999999999999mo", Timestamp.latest.iso8601),
      ("2026-01-15T00:00:00Z", "99999999999999999999d", Timestamp.latest.iso8601),
      ("2026-01-15T00:00:00Z", "1w", "2026-01-22T00:00:00.000Z"),
      ("2026-01-15T00:00:00Z", "monthly", "2026-02-14T00:00:00.000Z"),
    ]
    for (start, length, end) in cases {
      let start = try #require(Timestamp(iso8601: start))
      #expect(try WindowLength(text: length).end(ofWindowFrom: start).iso8601 == end)
    }
  }

  @Test func misleadingWindowsAreRefusedWithWhatWouldBeRight() {
    func problem(_ text: String) -> WindowLengthError? {
      do throws(WindowLengthError) {
        _ = try WindowLength(text: text)
        return nil
      } catch { return error }
    }
    #expect(problem("1d12h") == .misleading(text: "1d12h", readAs: "1d"))
    #expect(problem("1ms") == .misleading(text: "1ms", readAs: "1m"))
    #expect(problem("60") == .unknownUnit(text: "60"))
    #expect(problem("0d") == .zero(text: "0d"))
    #expect(problem("") == .notANumber(text: ""))
    #expect(problem(" 1d") == .notANumber(text: " 1d"))
    for text in ["1d ", "30days", "1week", " Daily ", "5minutes", "1mo", "1month"] {
      #expect(problem(text) == nil, "\(text)")
    }
    #expect(
      problem("1d12h").map(\.description)
        == "'1d12h' is misleading, LiteLLM would read it as 1d: write a number and one of "
        + "s, m, h, d, w, mo (30d, 1mo), or hourly, daily, weekly, monthly")
  }
}
