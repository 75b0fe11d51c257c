import BudgetModel

/// Numbers as LiteLLM and Redis write them: untrusted text in, exact decimals out.
enum StoreNumber {
  /// Longer texts are not numbers of theirs.
  private static let maximumLength = 64

  /// An amount of dollars, rounded to twelve decimals, half away from zero; nil: no such number.
  /// Takes an exponent: Python writes `1e-05`.
  static func amount(_ text: String) -> PicoUSD? {
    scaled(text, by: PicoUSD.decimals, rounding: true).map { PicoUSD(pico: $0) }
  }

  /// The sum of two amounts of the store's; no more than any single one may be, so that it can be added
  /// to again, however many there are.
  static func sum(_ one: PicoUSD, _ other: PicoUSD) -> PicoUSD {
    PicoUSD(pico: min(one.pico + other.pico, largest))
  }

  /// An instant from seconds since 1970, cut to milliseconds; nil: no such number.
  static func instant(_ text: String) -> Timestamp? {
    guard let milliseconds = scaled(text, by: 3, rounding: false), milliseconds >= 0,
      milliseconds <= Int128(Timestamp.latest.unixMilliseconds)
    else { return nil }
    return Timestamp(unixMilliseconds: Int64(milliseconds))
  }

  /// An instant from whole milliseconds since 1970, as the marker has it; nil: none that a window
  /// may have.
  static func milliseconds(_ text: String) -> Timestamp? {
    guard let number = Int64(text), (0...Timestamp.latest.unixMilliseconds).contains(number) else {
      return nil
    }
    return Timestamp(unixMilliseconds: number)
  }

  /// An instant so many milliseconds after another; past `Timestamp.latest`: that.
  static func instant(_ start: Timestamp, plus milliseconds: Int64) -> Timestamp {
    let (sum, overflow) = start.unixMilliseconds.addingReportingOverflow(milliseconds)
    return overflow ? .latest : min(.latest, Timestamp(unixMilliseconds: sum))
  }

  /// Seconds since 1970 as LiteLLM reads them: `1795345098.748`.
  static func text(_ instant: Timestamp) -> String {
    let (seconds, rest) = instant.unixMilliseconds.quotientAndRemainder(dividingBy: 1_000)
    let digits = String(rest)
    return "\(seconds)." + String(repeating: "0", count: 3 - digits.count) + digits
  }

  /// The number times 10^`power`, as a whole number.
  private static func scaled(_ text: String, by power: Int, rounding: Bool) -> Int128? {
    var rest = Substring(text)
    guard !rest.isEmpty, rest.utf8.count <= maximumLength else { return nil }
    let isNegative = rest.hasPrefix("-")
    if isNegative || rest.hasPrefix("+") { rest = rest.dropFirst() }
    let parts = rest.split(
      maxSplits: 1, omittingEmptySubsequences: false, whereSeparator: { $0 == "e" || $0 == "E" })
    var exponent = 0
    if parts.count == 2 {
      guard let value = Int(parts[1]), (-400...400).contains(value) else { return nil }
      exponent = value
    }
    let mantissa = parts[0].split(separator: ".", omittingEmptySubsequences: false)
    guard mantissa.count <= 2 else { return nil }
    let digits = Array(mantissa.joined().utf8)
    guard !digits.isEmpty,
      digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
    else { return nil }
    let decimals = mantissa.count == 2 ? mantissa[1].utf8.count : 0
    return value(digits, shift: exponent - decimals + power, rounding: rounding).map {
      isNegative ? -$0 : $0
    }
  }

  /// `digits` times 10^`shift`.
  private static func value(_ digits: [UInt8], shift: Int, rounding: Bool) -> Int128? {
    let kept = shift < 0 ? max(0, digits.count + shift) : digits.count
    var value: Int128 = 0
    for digit in digits[..<kept] {
      value = value * 10 + Int128(digit - UInt8(ascii: "0"))
      if value > largest { return nil }
    }
    if rounding, kept < digits.count, digits.count + shift >= 0, digits[kept] >= UInt8(ascii: "5") {
      value += 1
    }
    for _ in 0..<max(0, shift) where value != 0 {
      value *= 10
      if value > largest { return nil }
    }
    return value
  }

  /// Past this no amount of ours lies: 10²⁴ $ in pico-dollars, far below the type's range.
  static let largest: Int128 = 1_000_000_000_000_000_000_000_000_000_000_000_000
}
