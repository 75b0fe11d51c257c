/// How long a budget's window lasts, measured from the instant at which it opened.
public enum WindowLength: Hashable, Sendable {
  /// A fixed number of seconds, at least 1. More than 64 bits hold end past `Timestamp.latest`.
  case seconds(Int64)
  /// Calendar months in UTC, at least 1: the same day and time that many months later, the day
  /// clipped to the month's length.
  case months(Int64)

  /// The last instant that belongs to a window opened at `start`: windows are closed at their end.
  ///
  /// Past `Timestamp.latest` that instant is the end.
  public func end(ofWindowFrom start: Timestamp) -> Timestamp {
    switch self {
    case .seconds(let seconds):
      let end = Int128(seconds) * 1_000 + Int128(start.unixMilliseconds)
      guard end < Int128(Timestamp.latest.unixMilliseconds) else { return .latest }
      return Timestamp(unixMilliseconds: Int64(end))
    case .months(let months):
      return CalendarDate.instant(start, plusMonths: months)
    }
  }
}

/// Why a text is not a window length. Cases carry what a message needs.
public enum WindowLengthError: Error, Hashable, Sendable {
  /// The text does not start with a digit and is not one of the four words.
  case notANumber(text: String)
  /// No unit follows the number, or one that does not exist.
  case unknownUnit(text: String)
  /// LiteLLM would read only the first part of the text: `1d12h` as one day.
  case misleading(text: String, readAs: String)
  /// The window would have no length.
  case zero(text: String)
}

extension WindowLengthError: CustomStringConvertible {
  /// One sentence: the text, what is wrong and what would be right.
  public var description: String {
    let forms =
      "write a number and one of s, m, h, d, w, mo (30d, 1mo), or hourly, daily, weekly, monthly"
    return switch self {
    case .notANumber(let text): "'\(text)' is not a window length: \(forms)"
    case .unknownUnit(let text): "'\(text)' has no known unit: \(forms)"
    case .misleading(let text, let readAs):
      "'\(text)' is misleading, LiteLLM would read it as \(readAs): \(forms)"
    case .zero(let text): "'\(text)' is a window of no length, nothing would be enforced: \(forms)"
    }
  }
}

extension WindowLength {
  /// Reads a window's length as LiteLLM does (`30s`, `15m`, `2h`, `7d`, `4w`, `1mo`, and the words
  /// `hourly daily weekly monthly` in any case with blanks around them).
  ///
  /// LiteLLM ignores whatever follows the unit. Where that is only a longer spelling of the unit
  /// (`30days`, `1week`, `1month`) or blanks, the text is accepted; where it would mislead
  /// (`1d12h`, `1ms`), it is refused.
  public init(text: String) throws(WindowLengthError) {
    let scalars = Array(text.unicodeScalars)
    if let word = Self.words[Self.trimmed(scalars[...]).lowercased()] {
      self = .seconds(word)
      return
    }
    let digits = scalars.prefix { ("0"..."9").contains($0) }
    let unit = scalars[digits.count...]
    guard !digits.isEmpty else {
      // LiteLLM's pattern takes the decimal digits of every script; here they mislead.
      guard let first = scalars.first, first.properties.numericType == .decimal else {
        throw .notANumber(text: text)
      }
      throw .misleading(text: text, readAs: "a number of another script")
    }
    guard let first = unit.first, let seconds = Self.secondsPerUnit[first] else {
      throw .unknownUnit(text: text)
    }
    let isMonths = first == "m" && unit.dropFirst().first == "o"
    let name = isMonths ? "mo" : String(Character(first))
    let spelled = Self.trimmedEnd(unit)
    guard Self.spellings[name, default: []].contains(spelled) else {
      throw .misleading(text: text, readAs: String(String.UnicodeScalarView(digits)) + name)
    }
    guard let count = Self.number(digits) else {
      // More digits than 128 bits hold: far past `Timestamp.latest` in any unit.
      self = isMonths ? .months(.max) : .seconds(.max)
      return
    }
    guard count > 0 else { throw .zero(text: text) }
    if isMonths {
      self = .months(Int64(clamping: count))
    } else {
      let (product, overflow) = count.multipliedReportingOverflow(by: seconds)
      self = .seconds(overflow ? .max : Int64(clamping: product))
    }
  }

  private static let words: [String: Int64] = [
    "hourly": 3_600, "daily": 86_400, "weekly": 604_800, "monthly": 2_592_000,
  ]

  private static let secondsPerUnit: [Unicode.Scalar: Int128] = [
    "s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800,
  ]

  /// The spellings that mean to every reader what LiteLLM makes of their first letters.
  private static let spellings: [String: Set<String>] = [
    "s": ["s", "sec", "secs", "second", "seconds"],
    "m": ["m", "min", "mins", "minute", "minutes"],
    "h": ["h", "hr", "hrs", "hour", "hours"],
    "d": ["d", "day", "days"],
    "w": ["w", "wk", "wks", "week", "weeks"],
    "mo": ["mo", "mon", "mons", "month", "months"],
  ]

  private static func number(_ digits: ArraySlice<Unicode.Scalar>) -> Int128? {
    var value: Int128 = 0
    for digit in digits {
      let (tenfold, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, past) = tenfold.addingReportingOverflow(Int128(digit.value - 48))
      guard !overflow, !past else { return nil }
      value = sum
    }
    return value
  }

  private static func trimmed(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
    trimmedEnd(scalars.drop { $0.properties.isWhitespace })
  }

  private static func trimmedEnd(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
    var rest = scalars
    while let last = rest.last, last.properties.isWhitespace { rest.removeLast() }
    return String(String.UnicodeScalarView(rest))
  }
}
