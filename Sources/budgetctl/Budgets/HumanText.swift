import BudgetModel

/// Amounts, durations and bars as people read them.
enum HumanText {
  /// `$1,234.50`: thousands apart, at least two decimals, at most the twelve that count.
  static func money(_ dollars: Double) -> String {
    guard let amount = try? PicoUSD(dollars: dollars.magnitude, atMost: .maximumLimit) else {
      // Not an amount of this service's making (NaN or past every bound): show it as it is.
      return "$\(dollars.pythonText)"
    }
    return (dollars < 0 ? "-" : "") + money(amount)
  }

  /// The amount exactly, as above.
  static func money(_ amount: PicoUSD) -> String {
    let parts = amount.exactText.split(separator: ".")
    let isNegative = amount < .zero
    let digits = parts[0].drop { $0 == "-" }
    var grouped = ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % 3 == 0 { grouped.append(",") }
      grouped.append(digit)
    }
    var decimals = parts.count > 1 ? String(parts[1]) : ""
    while decimals.count < 2 { decimals += "0" }
    return (isNegative ? "-$" : "$") + grouped + "." + decimals
  }

  /// `$3.1416`, `$0.000123`: as `money`, but to four decimals, or below a cent to three digits that
  /// count. Sums of prices per token have nine decimals that nobody reads.
  static func roundedMoney(_ dollars: Double) -> String {
    let magnitude = dollars.magnitude
    guard magnitude > 0, magnitude < 1e12 else { return money(dollars) }
    var unit = 1e4
    while magnitude * unit < 100, unit < 1e12 { unit *= 10 }
    return money((dollars * unit).rounded() / unit)
  }

  /// `2 d 3 h`, `4 min 5 s`: the two largest units that are not zero.
  static func duration(milliseconds: Int64) -> String {
    guard milliseconds > 0 else { return "now" }
    guard milliseconds < longestDuration else { return "for ever" }
    let seconds = (milliseconds + 999) / 1_000
    let units: [(String, Int64)] = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)]
    guard let first = units.firstIndex(where: { seconds >= $0.1 }) else { return "now" }
    let (name, length) = units[first]
    let text = "\(seconds / length) \(name)"
    guard first + 1 < units.count else { return text }
    let (nextName, nextLength) = units[first + 1]
    let rest = seconds % length / nextLength
    return rest > 0 ? "\(text) \(rest) \(nextName)" : text
  }

  /// From one instant to another, whatever a server says of either.
  static func duration(from start: Int64, to end: Int64) -> String {
    let (milliseconds, isTooLong) = end.subtractingReportingOverflow(start)
    return isTooLong ? (end < start ? "now" : "for ever") : duration(milliseconds: milliseconds)
  }

  /// Some ten thousand years: the calendar ends before.
  private static let longestDuration: Int64 = 316_000_000_000_000

  /// A bar of `width` cells, `fill` of it full; a budget that has been touched shows it, and only
  /// one that has reached its limit shows a full bar.
  static func bar(fill: Double, width: Int) -> String {
    guard fill.isFinite else { return "" }
    let clamped = min(max(fill, 0), 1)
    var full = Int((clamped * Double(width)).rounded(.down))
    if fill > 0, full == 0 { full = 1 }
    return String(repeating: "█", count: full) + String(repeating: "░", count: width - full)
  }

  /// `12 %`: rounded down, so that 100 % means the limit was reached; over 999 % is said so.
  static func percent(fill: Double) -> String {
    let percent = (fill * 100).rounded(.down)
    if percent > 999 { return "> 999 %" }
    // No server of this kind says it: a spend below zero, or no number.
    guard percent >= 0 else { return "?" }
    return percent == 0 && fill > 0 ? "< 1 %" : "\(Int(percent)) %"
  }
}
