import BudgetModel

/// Finds the part of a budget's rows, sorted by start, that may hold windows that have not ended.
enum WindowSearch {
  /// The fleet's windows may last a hundredth longer than the budget's, or five minutes; twice that
  /// is looked at.
  private static let slackMilliseconds: Int128 = 10 * 60 * 1_000
  private static let slackPart: Int128 = 50

  /// The starts of windows of `key` that can still be open at `time`.
  static func starts(of key: BudgetKey, endingFrom time: Int64) -> ClosedRange<Int64> {
    // A text that means nothing: its budget is not in force, and all of its windows are looked at.
    guard let rule = try? WindowRule(text: key.windowText) else { return .min ... .max }
    let milliseconds: Int128 =
      switch rule {
      case .rolling(.seconds(let seconds)): Int128(seconds) * 1_000
      case .rolling(.months(let months)): Int128(months) * 31 * 86_400_000
      case .calendar(let windows): Int128(windows.unit.longestDays) * 86_400_000
      }
    let first = Int128(time) - milliseconds - milliseconds / slackPart - slackMilliseconds
    return Int64(max(first, Int128(Int64.min))) ... .max
  }
}
