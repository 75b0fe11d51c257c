import BudgetModel
import Testing

@testable import TimeZones

@Suite struct LocalTimeRuleTests {
  /// The transitions of a year: instant and offset.
  private func transitions(_ line: String, in year: String) throws -> [String] {
    let rule = try #require(LocalTimeRule(Array(line.utf8)[...]))
    return rule.transitions(after: LocalTimeRule.beginning).map { transition in
      "\(Timestamp(unixMilliseconds: transition.at * 1_000).iso8601.dropLast(5)) \(transition.offset)"
    }
    .filter { $0.hasPrefix(year) }
  }

  // Instants by Python's zoneinfo, of files made with these lines.
  @Test(
    arguments: [
      ("CET-1CEST,M3.5.0,M10.5.0/3", "2040", "03-25T01:00:00 7200", "10-28T01:00:00 3600"),
      ("EST5EDT,M3.2.0,M11.1.0", "2099", "03-08T07:00:00 -14400", "11-01T06:00:00 -18000"),
      (
        "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", "2040", "03-31T15:00:00 37800",
        "10-06T15:30:00 39600"
      ),
      ("IST-1GMT0,M10.5.0,M3.5.0/1", "2040", "03-25T01:00:00 3600", "10-28T01:00:00 0"),
      ("IST-2IDT,M3.4.4/26,M10.5.0", "2040", "03-23T00:00:00 10800", "10-27T23:00:00 7200"),
      ("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2040", "03-25T01:00:00 -3600", "10-28T01:00:00 -7200"),
      // 29 February is not counted, then counted: 1 March, then 29 February.
      ("AAA0BBB,J60/0,J300/0", "2040", "03-01T00:00:00 3600", "10-26T23:00:00 0"),
      ("AAA0BBB,59/0,299/0", "2040", "02-29T00:00:00 3600", "10-25T23:00:00 0"),
      ("AAA0BBB,J60/0,J300/0", "2041", "03-01T00:00:00 3600", "10-26T23:00:00 0"),
      ("AAA0BBB,59/0,299/0", "2041", "03-01T00:00:00 3600", "10-26T23:00:00 0"),
      // Seconds, and a week before and after.
      (
        "AAA-0:00:01BBB+1:02:03,M6.1.1/-167,M9.1.1/+167:59:59", "2040", "05-28T00:59:59 -3723",
        "09-10T01:02:02 1"
      ),
    ] as [(String, String, String, String)])
  func eachFormIsUnderstood(line: String, year: String, first: String, second: String) throws {
    #expect(try transitions(line, in: year) == ["\(year)-\(first)", "\(year)-\(second)"])
  }

  @Test func aLineWithoutAnotherTimeHasNoTransitions() throws {
    for line in ["UTC0", "<+0330>-3:30", "EST5", "<-00>0"] {
      #expect(try transitions(line, in: "") == [])
    }
  }

  /// RFC 8536's own example of a time that is other all the year.
  @Test func aTimeThatEndsWhenItBeginsGoesOn() throws {
    for line in ["EST5EDT,0/0,J365/25", "XXX3EDT4,0/0,J365/23"] {
      let all = try transitions(line, in: "")
      #expect(all.count == 200 && all.allSatisfy { $0.hasSuffix(" -14400") }, "\(line)")
    }
  }

  @Test(
    arguments: [
      "", "E", "ES5", "EST", "5", "EST25", "EST5:60", "EST5:1:60", "EST5 ", "EST5EDT", "EST5EDT,",
      "EST5EDT,M3.2.0", "EST5EDT,M3.2.0,", "EST5EDT,M3.2.0,M11.1.0,", "EST5EDT,M3.2.0,M11.1.0/",
      "EST5EDT,M13.2.0,M11.1.0", "EST5EDT,M0.2.0,M11.1.0", "EST5EDT,M3.0.0,M11.1.0",
      "EST5EDT,M3.6.0,M11.1.0", "EST5EDT,M3.2.7,M11.1.0", "EST5EDT,M3.2,M11.1.0",
      "EST5EDT,J0,J365", "EST5EDT,J1,J366", "EST5EDT,0,366", "EST5EDT,M3.2.0/168,M11.1.0",
      "EST5EDT,M3.2.0/-168,M11.1.0", "EST5EDT,0,99999999999999999999", "<EST5", "<+01>",
      "EST--5", "EST5EDT25,0,1", "EST5ED,0,1",
    ])
  func whatIsNotARuleIsRefused(line: String) {
    #expect(LocalTimeRule(Array(line.utf8)[...]) == nil)
  }
}
