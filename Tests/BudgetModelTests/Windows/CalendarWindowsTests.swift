import BudgetModel
import CAllocationCount
import SeededRandom
import Testing

@Suite struct CalendarWindowsTests {
  /// A window, and an instant in it.
  struct Row: Sendable, CustomTestStringConvertible {
    let zone: String
    let unit: CalendarUnit
    let firstDay: Int
    let instant: String
    let start: String
    let end: String

    init(
      _ zone: String, _ unit: CalendarUnit, from firstDay: Int = 1, _ instant: String,
      _ start: String,
      _ end: String
    ) {
      self.zone = zone
      self.unit = unit
      self.firstDay = firstDay
      self.instant = instant
      self.start = start
      self.end = end
    }

    var testDescription: String { "\(zone) \(unit) \(firstDay) \(instant)" }
  }

  // Computed by Tests/TimeZonesTests/zone_windows.py, which knows Python's zones alone.
  static let rows: [Row] = [
    // 23 and 25 hours.
    Row(
      "Europe/Berlin", .day, "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z",
      "2026-03-29T21:59:59.999Z"),
    Row(
      "Europe/Berlin", .day, "2026-10-25T00:00:00Z", "2026-10-24T22:00:00Z",
      "2026-10-25T22:59:59.999Z"),
    // From 01:00 to 03:00 on the clock; 02:00 twice.
    Row(
      "Europe/Berlin", .hour, "2026-03-29T00:59:59Z", "2026-03-29T00:00:00Z",
      "2026-03-29T00:59:59.999Z"),
    Row(
      "Europe/Berlin", .hour, "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z",
      "2026-03-29T01:59:59.999Z"),
    Row(
      "Europe/Berlin", .hour, "2026-10-25T00:30:00Z", "2026-10-25T00:00:00Z",
      "2026-10-25T00:59:59.999Z"),
    Row(
      "Europe/Berlin", .hour, "2026-10-25T01:30:00Z", "2026-10-25T01:00:00Z",
      "2026-10-25T01:59:59.999Z"),
    // Weeks from Monday and from Sunday.
    Row(
      "Europe/Berlin", .week, "2026-03-29T10:00:00Z", "2026-03-22T23:00:00Z",
      "2026-03-29T21:59:59.999Z"),
    Row(
      "Europe/Berlin", .week, from: 7, "2026-03-29T10:00:00Z", "2026-03-28T23:00:00Z",
      "2026-04-04T21:59:59.999Z"),
    Row(
      "Europe/Berlin", .week, from: 7, "2026-03-28T22:59:59Z", "2026-03-21T23:00:00Z",
      "2026-03-28T22:59:59.999Z"),
    Row(
      "Europe/Berlin", .month, "2026-03-31T21:59:59Z", "2026-02-28T23:00:00Z",
      "2026-03-31T21:59:59.999Z"),
    Row(
      "Europe/Berlin", .month, "2026-03-31T22:00:00Z", "2026-03-31T22:00:00Z",
      "2026-04-30T21:59:59.999Z"),
    Row(
      "Europe/Berlin", .quarter, "2026-05-31T22:00:00Z", "2026-03-31T22:00:00Z",
      "2026-06-30T21:59:59.999Z"),
    Row(
      "Europe/Berlin", .year, "2026-12-31T23:00:00Z", "2026-12-31T23:00:00Z",
      "2027-12-31T22:59:59.999Z"),
    // Past 2037, where old tables end.
    Row(
      "Europe/Berlin", .day, "2040-03-25T12:00:00Z", "2040-03-24T23:00:00Z",
      "2040-03-25T21:59:59.999Z"),
    Row(
      "Europe/Berlin", .day, "2040-10-28T12:00:00Z", "2040-10-27T22:00:00Z",
      "2040-10-28T22:59:59.999Z"),
    Row(
      "America/New_York", .day, "2026-03-08T12:00:00Z", "2026-03-08T05:00:00Z",
      "2026-03-09T03:59:59.999Z"),
    Row(
      "America/New_York", .day, "2026-11-01T12:00:00Z", "2026-11-01T04:00:00Z",
      "2026-11-02T04:59:59.999Z"),
    Row(
      "America/New_York", .hour, "2026-11-01T06:30:00Z", "2026-11-01T06:00:00Z",
      "2026-11-01T06:59:59.999Z"),
    Row(
      "America/New_York", .month, "2026-11-15T00:00:00Z", "2026-11-01T04:00:00Z",
      "2026-12-01T04:59:59.999Z"),
    // 90 minutes, since the clock goes back by 30; then an hour of 30 minutes.
    Row(
      "Australia/Lord_Howe", .hour, "2026-04-04T14:59:59Z", "2026-04-04T14:00:00Z",
      "2026-04-04T15:29:59.999Z"),
    Row(
      "Australia/Lord_Howe", .hour, "2026-04-04T15:10:00Z", "2026-04-04T14:00:00Z",
      "2026-04-04T15:29:59.999Z"),
    Row(
      "Australia/Lord_Howe", .hour, "2026-10-03T15:29:59Z", "2026-10-03T14:30:00Z",
      "2026-10-03T15:29:59.999Z"),
    Row(
      "Australia/Lord_Howe", .hour, "2026-10-03T15:30:00Z", "2026-10-03T15:30:00Z",
      "2026-10-03T15:59:59.999Z"),
    Row(
      "Australia/Lord_Howe", .hour, "2026-10-03T16:00:00Z", "2026-10-03T16:00:00Z",
      "2026-10-03T16:59:59.999Z"),
    Row(
      "Australia/Lord_Howe", .day, "2026-10-03T16:00:00Z", "2026-10-03T13:30:00Z",
      "2026-10-04T12:59:59.999Z"),
    Row(
      "Australia/Lord_Howe", .day, "2026-04-05T12:00:00Z", "2026-04-04T13:00:00Z",
      "2026-04-05T13:29:59.999Z"),
    // 30 December was left out: it has no window, and what begins with it begins with the 31st.
    Row(
      "Pacific/Apia", .day, "2011-12-30T09:59:59Z", "2011-12-29T10:00:00Z",
      "2011-12-30T09:59:59.999Z"),
    Row(
      "Pacific/Apia", .day, "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z",
      "2011-12-31T09:59:59.999Z"),
    Row(
      "Pacific/Apia", .week, from: 5, "2011-12-30T09:59:59Z", "2011-12-23T10:00:00Z",
      "2011-12-30T09:59:59.999Z"),
    Row(
      "Pacific/Apia", .week, from: 5, "2011-12-30T10:00:00Z", "2011-12-30T10:00:00Z",
      "2012-01-05T09:59:59.999Z"),
    Row(
      "Pacific/Apia", .month, "2011-12-31T00:00:00Z", "2011-12-01T10:00:00Z",
      "2011-12-31T09:59:59.999Z"),
    Row(
      "Pacific/Kwajalein", .day, "1993-08-21T12:00:00Z", "1993-08-21T12:00:00Z",
      "1993-08-22T11:59:59.999Z"),
    // An hour less in Ramadan.
    Row(
      "Africa/Casablanca", .day, "2026-02-15T12:00:00Z", "2026-02-14T23:00:00Z",
      "2026-02-15T23:59:59.999Z"),
    Row(
      "Africa/Casablanca", .day, "2026-03-22T12:00:00Z", "2026-03-22T00:00:00Z",
      "2026-03-22T22:59:59.999Z"),
    Row(
      "Africa/Casablanca", .hour, "2026-02-15T02:00:00Z", "2026-02-15T02:00:00Z",
      "2026-02-15T02:59:59.999Z"),
    // Midnight is jumped over in spring and shown twice in autumn.
    Row(
      "America/Havana", .day, "2026-03-08T12:00:00Z", "2026-03-08T05:00:00Z",
      "2026-03-09T03:59:59.999Z"),
    Row(
      "America/Havana", .day, "2026-11-01T12:00:00Z", "2026-11-01T04:00:00Z",
      "2026-11-02T04:59:59.999Z"),
    Row(
      "America/Havana", .hour, "2026-11-01T04:30:00Z", "2026-11-01T04:00:00Z",
      "2026-11-01T04:59:59.999Z"),
    Row(
      "America/Havana", .hour, "2026-11-01T05:00:00Z", "2026-11-01T05:00:00Z",
      "2026-11-01T05:59:59.999Z"),
    // No midnight in spring; in autumn 23:00 comes again before midnight does.
    Row(
      "America/Sao_Paulo", .day, "2018-11-04T12:00:00Z", "2018-11-04T03:00:00Z",
      "2018-11-05T01:59:59.999Z"),
    Row(
      "America/Sao_Paulo", .day, "2018-02-18T02:30:00Z", "2018-02-17T02:00:00Z",
      "2018-02-18T02:59:59.999Z"),
    Row(
      "America/Sao_Paulo", .day, "2018-02-18T12:00:00Z", "2018-02-18T03:00:00Z",
      "2018-02-19T02:59:59.999Z"),
    Row(
      "America/Sao_Paulo", .month, "2018-11-04T03:00:00Z", "2018-11-01T03:00:00Z",
      "2018-12-01T01:59:59.999Z"),
    // The clock went back a minute past midnight: the date that had begun does not end.
    Row(
      "America/St_Johns", .day, "2010-11-07T02:29:59Z", "2010-11-06T02:30:00Z",
      "2010-11-07T02:29:59.999Z"),
    Row(
      "America/St_Johns", .day, "2010-11-07T02:45:00Z", "2010-11-07T02:30:00Z",
      "2010-11-08T03:29:59.999Z"),
    Row(
      "America/St_Johns", .hour, "2010-11-07T02:30:30Z", "2010-11-07T02:30:00Z",
      "2010-11-07T02:30:59.999Z"),
    Row(
      "America/St_Johns", .hour, "2010-11-07T02:31:00Z", "2010-11-07T02:31:00Z",
      "2010-11-07T03:29:59.999Z"),
    Row(
      "America/St_Johns", .hour, "2010-11-07T03:40:00Z", "2010-11-07T03:30:00Z",
      "2010-11-07T04:29:59.999Z"),
    // It goes back by a day.
    Row(
      "America/Juneau", .day, "1867-10-19T00:31:13Z", "1867-10-18T08:57:41Z",
      "1867-10-20T08:57:40.999Z"),
    // A quarter of an hour is left out.
    Row(
      "Asia/Kathmandu", .hour, "1985-12-31T18:30:00Z", "1985-12-31T18:30:00Z",
      "1985-12-31T19:14:59.999Z"),
    // 29 February, ends of months, other first days.
    Row("UTC", .month, "2028-02-29T12:00:00Z", "2028-02-01T00:00:00Z", "2028-02-29T23:59:59.999Z"),
    Row("UTC", .day, "2028-02-29T12:00:00Z", "2028-02-29T00:00:00Z", "2028-02-29T23:59:59.999Z"),
    Row(
      "UTC", .month, from: 28, "2028-02-29T12:00:00Z", "2028-02-28T00:00:00Z",
      "2028-03-27T23:59:59.999Z"),
    Row(
      "UTC", .month, from: 15, "2026-03-14T23:59:59Z", "2026-02-15T00:00:00Z",
      "2026-03-14T23:59:59.999Z"),
    Row(
      "UTC", .month, from: 15, "2026-03-15T00:00:00Z", "2026-03-15T00:00:00Z",
      "2026-04-14T23:59:59.999Z"),
    Row(
      "UTC", .quarter, from: 15, "2026-01-14T00:00:00Z", "2025-10-15T00:00:00Z",
      "2026-01-14T23:59:59.999Z"),
    Row(
      "UTC", .quarter, from: 15, "2026-01-15T00:00:00Z", "2026-01-15T00:00:00Z",
      "2026-04-14T23:59:59.999Z"),
    Row(
      "UTC", .quarter, from: 28, "2026-04-27T00:00:00Z", "2026-01-28T00:00:00Z",
      "2026-04-27T23:59:59.999Z"),
    Row(
      "UTC", .year, from: 28, "2026-01-27T00:00:00Z", "2025-01-28T00:00:00Z",
      "2026-01-27T23:59:59.999Z"),
    Row(
      "UTC", .year, from: 15, "2026-07-01T00:00:00Z", "2026-01-15T00:00:00Z",
      "2027-01-14T23:59:59.999Z"),
    // Before 1970.
    Row("UTC", .year, "1969-07-20T20:17:40Z", "1969-01-01T00:00:00Z", "1969-12-31T23:59:59.999Z"),
    Row("UTC", .week, "1969-12-31T23:59:59Z", "1969-12-29T00:00:00Z", "1970-01-04T23:59:59.999Z"),
    Row("UTC", .hour, "1969-12-31T23:59:59Z", "1969-12-31T23:00:00Z", "1969-12-31T23:59:59.999Z"),
  ]

  @Test(arguments: rows) func windowsAreTheCalendars(row: Row) throws {
    let zone = try #require(LiteralZones.all.first { $0.name == row.zone })
    let windows = CalendarWindows(unit: row.unit, zone: zone, firstDay: row.firstDay)
    let start = try instant(row.start)
    let end = try instant(row.end)
    for inside in [try instant(row.instant), start, end] {
      #expect(windows.window(at: inside) == Window(start: start, end: end))
    }
    let (before, after) = (start.unixMilliseconds - 1, end.unixMilliseconds + 1)
    #expect(windows.window(at: Timestamp(unixMilliseconds: before)).end.unixMilliseconds == before)
    let next = WindowRule.calendar(windows).window(after: end)
    #expect(next.start.unixMilliseconds == after)
  }

  /// Instants near changes of the clock and at borders among them, from before 1970 to 9999.
  @Test func windowsPartitionTime() {
    let seed = UInt64.random(in: 0 ... .max)
    print("windows, seed \(seed)")
    var random = SeededRandom(seed: seed)
    for _ in 0..<20_000 {
      let zone = random.chance(0.2) ? Self.randomZone(&random) : random.pick(LiteralZones.all)
      let unit = random.pick(CalendarUnit.allCases)
      let firstDay = unit.rawValue == "week" ? random.below(7) : random.below(28)
      let windows = CalendarWindows(unit: unit, zone: zone, firstDay: firstDay + 1)
      let rule = WindowRule.calendar(windows)
      let now = Self.randomInstant(of: zone, &random)
      let window = windows.window(at: now)
      let name = "\(zone.name) \(unit) \(firstDay + 1) \(now.iso8601), seed \(seed)"
      #expect(window.start <= now && now <= window.end, "\(name)")
      #expect(windows.window(at: window.start) == window, "\(name)")
      #expect(windows.window(at: window.end) == window, "\(name)")
      let last = window.end.unixMilliseconds
      if window.end < .latest {
        #expect(rule.window(after: window.end).start.unixMilliseconds == last + 1, "\(name)")
      } else {
        #expect(rule.window(after: window.end) == window, "\(name)")
      }
      let before = Timestamp(unixMilliseconds: window.start.unixMilliseconds - 1)
      #expect(windows.window(at: before).end == before, "\(name)")
    }
  }

  private static func randomInstant(of zone: ZoneTable, _ random: inout SeededRandom) -> Timestamp {
    let changes = zone.transitions
    guard !changes.isEmpty, random.chance(0.6) else {
      // From the year 1.
      let milliseconds = Int64(random.next() % 315_537_897_600_000)
      return Timestamp(unixMilliseconds: milliseconds - 62_135_596_800_000)
    }
    let away = random.pick([1, 3_600_000, 200_000_000])
    return Timestamp(
      unixMilliseconds: random.pick(changes).at * 1_000 + Int64(random.below(2 * away + 1) - away))
  }

  /// Clocks that no country has had, changed often and far.
  private static func randomZone(_ random: inout SeededRandom) -> ZoneTable {
    var at: Int64 = 1_700_000_000
    let transitions = (0..<random.below(20)).map { _ in
      at += Int64(1 + random.below(random.pick([100, 5_000, 200_000])))
      return ZoneTable.Transition(at: at, offset: Int32(random.below(187_199) - 93_599))
    }
    return ZoneTable(name: "random", firstOffset: 0, transitions: transitions)
  }

  @Test func theLastWindowEndsWithTheLastInstant() throws {
    for unit in CalendarUnit.allCases {
      for hours in [-25, 0, 25] as [Int32] {
        let zone = ZoneTable(name: "far", firstOffset: hours * 3_600, transitions: [])
        let windows = CalendarWindows(unit: unit, zone: zone)
        for instant in [Timestamp.latest, Timestamp(unixMilliseconds: .max)] {
          let window = windows.window(at: instant)
          #expect(window.end == .latest && window.start <= .latest, "\(unit) \(hours)")
          #expect(windows.window(at: window.start) == window, "\(unit) \(hours)")
          #expect(WindowRule.calendar(windows).window(after: window.end) == window)
        }
        let earliest = windows.window(at: Timestamp(unixMilliseconds: .min))
        #expect(earliest.start.unixMilliseconds == .min && earliest.end.unixMilliseconds < 0)
      }
    }
  }

  @Test func textsOfWindowsAreRules() throws {
    #expect(
      try WindowRule(text: "month")
        == .calendar(CalendarWindows(unit: .month, zone: .utc)))
    #expect(try WindowRule(text: "30d") == .rolling(.seconds(2_592_000)))
    #expect(throws: WindowLengthError.self) { try WindowRule(text: "fortnight") }
  }

  @Test(.enabled(if: allocation_count_is_meaningful())) func aWindowAllocatesNothing() {
    let zones = LiteralZones.all
    let windows = CalendarUnit.allCases.flatMap { unit in
      zones.map { CalendarWindows(unit: unit, zone: $0) }
    }
    let before = allocation_count()
    var sum: Int64 = 0
    for windows in windows {
      for day in 0..<1_000 as Range<Int64> {
        let now = Timestamp(unixMilliseconds: 1_760_000_000_000 + day * 86_400_000)
        sum &+= windows.window(at: now).end.unixMilliseconds
      }
    }
    #expect(allocation_count() == before)
    #expect(sum != 0)
  }

  @Test func tablesOutOfOrderOrTooFarFromUTCStopTheProcess() async {
    await #expect(processExitsWith: .failure) {
      _ = ZoneTable(
        name: "a", firstOffset: 0,
        transitions: [.init(at: 1, offset: 0), .init(at: 1, offset: 3_600)])
    }
    await #expect(processExitsWith: .failure) {
      _ = ZoneTable(name: "a", firstOffset: 93_600, transitions: [])
    }
    await #expect(processExitsWith: .failure) {
      _ = CalendarWindows(unit: .month, zone: .utc, firstDay: 29)
    }
    await #expect(processExitsWith: .failure) {
      _ = CalendarWindows(unit: .week, zone: .utc, firstDay: 8)
    }
  }

  private func instant(_ text: String) throws -> Timestamp {
    try #require(Timestamp(iso8601: text))
  }
}
