import BudgetModel

/// A zone file's last line, of all times after its table: `CET-1CEST,M3.5.0,M10.5.0/3`.
///
/// The form is POSIX's for the variable TZ, with hours up to 167 before or after midnight, as RFC 8536
/// allows.
struct LocalTimeRule {
  /// 1900-01-01, from which on a rule alone counts.
  static let beginning: Int64 = -2_208_988_800
  /// 2100-01-01: later the zone keeps its last offset.
  static let end: Int64 = 4_102_444_800
  private static let years: ClosedRange<Int64> = 1900...2100

  /// Seconds ahead of UTC.
  private var offset: Int32
  private var other: OtherTime?

  /// The time that holds in a part of each year: in summer, in Dublin and Casablanca the other part.
  private struct OtherTime {
    var offset: Int32
    var first: YearlyInstant
    var last: YearlyInstant
  }

  /// Reads the line. Nil where it is not a rule.
  init?(_ line: ArraySlice<UInt8>) {
    var text = RuleText(rest: line)
    guard text.skipName(), let west = text.time(hours: 24) else { return nil }
    offset = Int32(-west)
    guard !text.rest.isEmpty else { return }
    guard text.skipName() else { return nil }
    var otherOffset = offset + 3_600
    if text.rest.first != UInt8(ascii: ",") {
      guard let west = text.time(hours: 24) else { return nil }
      otherOffset = Int32(-west)
    }
    guard text.skip(","), let first = YearlyInstant(&text), text.skip(","),
      let last = YearlyInstant(&text), text.rest.isEmpty
    else { return nil }
    other = OtherTime(offset: otherOffset, first: first, last: last)
  }

  /// Its transitions past `last`, up to 2100-01-01.
  func transitions(after last: Int64) -> [ZoneTable.Transition] {
    guard let other else { return [] }
    var all: [ZoneTable.Transition] = []
    for year in Self.years {
      all.append(
        ZoneTable.Transition(
          at: other.last.localSecond(year: year) - Int64(other.offset), offset: offset))
      all.append(
        ZoneTable.Transition(
          at: other.first.localSecond(year: year) - Int64(offset), offset: other.offset))
    }
    // It goes on if the other time ends and begins at one instant.
    all.sort {
      ($0.at, $0.offset == other.offset ? 1 : 0) < ($1.at, $1.offset == other.offset ? 1 : 0)
    }
    let ends = all.dropFirst().map(\.at) + [.max]
    return zip(all, ends).filter { transition, next in
      transition.at > last && transition.at < Self.end && transition.at < next
    }.map(\.0)
  }
}

/// An instant of each year, on the local clock of the time that it ends.
private struct YearlyInstant {
  private enum Day {
    /// 1 to 365; 29 February is not counted.
    case ordinal(Int64)
    /// 0 to 365; 29 February is counted.
    case index(Int64)
    /// Week 5 is the last one. Weekdays are counted from Sunday, 0.
    case weekday(Int64, week: Int64, month: Int64)
  }

  private var day: Day
  private var secondOfDay: Int64 = 7_200

  init?(_ text: inout RuleText) {
    if text.skip("M") {
      guard let month = text.number(1...12), text.skip("."), let week = text.number(1...5),
        text.skip("."), let weekday = text.number(0...6)
      else { return nil }
      day = .weekday(weekday, week: week, month: month)
    } else if text.skip("J") {
      guard let number = text.number(1...365) else { return nil }
      day = .ordinal(number)
    } else {
      guard let number = text.number(0...365) else { return nil }
      day = .index(number)
    }
    if text.skip("/") {
      guard let time = text.time(hours: 167) else { return nil }
      secondOfDay = time
    }
  }

  func localSecond(year: Int64) -> Int64 { dayNumber(year: year) * 86_400 + secondOfDay }

  private func dayNumber(year: Int64) -> Int64 {
    let newYear = CalendarDate(year: year, month: 1, day: 1).daysSinceEpoch
    switch day {
    case .ordinal(let number):
      let hasLeapDay = CalendarDate.length(ofMonth: 2, year: year) == 29
      return newYear + number - (hasLeapDay && number > 59 ? 0 : 1)
    case .index(let number):
      return newYear + number
    case .weekday(let weekday, let week, let month):
      let first = CalendarDate(year: year, month: month, day: 1).daysSinceEpoch
      // 1970-01-01 was a Thursday. Years before it make the sum negative.
      let wait = ((weekday - first - 4) % 7 + 7) % 7
      let day = wait + (week - 1) * 7
      return first + (day < CalendarDate.length(ofMonth: month, year: year) ? day : day - 7)
    }
  }
}

/// A rule that is being read.
private struct RuleText {
  var rest: ArraySlice<UInt8>

  /// Passes over a sign, if it is next.
  mutating func skip(_ sign: Unicode.Scalar) -> Bool {
    guard rest.first == UInt8(ascii: sign) else { return false }
    rest = rest.dropFirst()
    return true
  }

  /// Passes over a local time's name: three letters or more, or anything in angle brackets.
  mutating func skipName() -> Bool {
    if skip("<") {
      guard let end = rest.firstIndex(of: UInt8(ascii: ">")) else { return false }
      rest = rest[(end + 1)...]
      return true
    }
    let letters = rest.prefix { byte in
      (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
    rest = rest.dropFirst(letters.count)
    return letters.count >= 3
  }

  /// Seconds, from `[+|-]hours[:minutes[:seconds]]`.
  mutating func time(hours: Int64) -> Int64? {
    let isNegative = skip("-")
    if !isNegative { _ = skip("+") }
    guard var seconds = number(0...hours).map({ $0 * 3_600 }) else { return nil }
    if skip(":") {
      guard let minutes = number(0...59) else { return nil }
      seconds += minutes * 60
      if skip(":") {
        guard let more = number(0...59) else { return nil }
        seconds += more
      }
    }
    return isNegative ? -seconds : seconds
  }

  /// A number of one to three digits.
  mutating func number(_ bounds: ClosedRange<Int64>) -> Int64? {
    let digits = rest.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    guard (1...3).contains(digits.count) else { return nil }
    rest = rest.dropFirst(digits.count)
    let value = digits.reduce(0 as Int64) { $0 * 10 + Int64($1) - 48 }
    return bounds.contains(value) ? value : nil
  }
}
