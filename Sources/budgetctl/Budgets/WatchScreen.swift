/// The picture of a watched terminal: drawn over the last one, without clearing it first, so that
/// nothing flickers.
struct WatchScreen {
  /// Takes a screen of its own, without cursor and line breaks of the terminal's making.
  static let begin = "\u{1B}[?1049h\u{1B}[?25l\u{1B}[?7l"
  /// Gives everything back.
  static let end = "\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l"

  /// The picture of `lines`: what does not fit into `rows` is counted in the last one.
  static func picture(_ lines: [String], rows: Int?) -> String {
    var lines = lines
    if let rows, rows > 1, lines.count > rows {
      let missing = lines.count - rows + 1
      lines = lines.prefix(rows - 1) + ["... and \(missing) more lines"]
    }
    // Home; each line with what was left of the old one cleared; then everything below.
    return "\u{1B}[H" + lines.map { $0 + "\u{1B}[K" }.joined(separator: "\r\n") + "\u{1B}[J"
  }
}

/// The state of watching: the last report, and since when the server does not answer.
struct WatchState {
  /// The last answer, and when it came.
  private(set) var report: (BudgetsReport, atUnixMilliseconds: Int64)?
  private var failure: (message: String, sinceUnixMilliseconds: Int64)?
  private var recovery: (afterMilliseconds: Int64, shownUntilUnixMilliseconds: Int64)?

  private static let recoveryShownMilliseconds: Int64 = 10_000

  /// The server answered. Says, where it had not before, for how long.
  mutating func answered(_ report: BudgetsReport, at now: Int64) -> String? {
    self.report = (report, now)
    guard let failure else { return nil }
    self.failure = nil
    let gone = now - failure.sinceUnixMilliseconds
    recovery = (gone, now + Self.recoveryShownMilliseconds)
    return "the server answers again, after \(HumanText.duration(milliseconds: gone))"
  }

  /// The server did not answer. Says so where that is news.
  mutating func failed(_ message: String, at now: Int64) -> String? {
    let isNews = failure?.message != message
    failure = (message, failure?.sinceUnixMilliseconds ?? now)
    recovery = nil
    return isNews ? message : nil
  }

  /// The lines before the budgets, for what is out of the ordinary.
  func notice(at now: Int64) -> [String] {
    if let failure {
      let seen = report.map { report in
        let age = HumanText.duration(milliseconds: max(1, now - report.atUnixMilliseconds))
        return "Trying again. What follows was seen \(age) ago."
      }
      return ["NO ANSWER: \(failure.message)", seen ?? "Trying again."]
    }
    if let recovery, now < recovery.shownUntilUnixMilliseconds {
      let gone = HumanText.duration(milliseconds: recovery.afterMilliseconds)
      return ["the server answers again, after \(gone)"]
    }
    return []
  }
}
