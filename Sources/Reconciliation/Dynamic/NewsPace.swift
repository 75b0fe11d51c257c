import BudgetModel

/// When a dynamic budget's spend is told to the fleet, and others' spend on it asked for: news of a
/// budget that is far from its limit can wait. Pure.
struct NewsPace: Sendable {
  /// One budget's news.
  struct News {
    /// The spend that the store does not have yet.
    var unsent: PicoUSD
    /// The amount left of the limit, as far as this node knows; nil: the budget has no limit.
    var left: PicoUSD?
    /// When the oldest of it was first seen.
    var since: Timestamp
    /// The last instant of its window.
    var end: Timestamp
  }

  /// News is told at once when it is more than this part of what is left.
  static let partOfRest: Int128 = 100

  /// From one pass to the next.
  let interval: Duration
  /// News is told, and others' spend asked for, after so long at the latest.
  let longest: Duration
  /// How much of what remains of a budget may be spent unseen between two questions.
  let unseenPart: Double

  init(_ settings: ReconcilerSettings) {
    interval = settings.interval
    longest = max(settings.longestNewsWait, settings.interval)
    unseenPart = settings.unseenPart
  }

  /// Whether the news is told now.
  func isDue(_ news: News, at now: Timestamp) -> Bool {
    guard news.unsent > .zero else { return false }
    if let left = news.left, news.unsent.pico * Self.partOfRest > left.pico { return true }
    // Once the window is over nobody takes it.
    if isEnding(news.end, at: now) { return true }
    // The next pass comes an interval later. The store's clock may have gone back.
    let waited = now.unixMilliseconds - news.since.unixMilliseconds
    return waited < 0 || waited >= (longest - interval).wholeMilliseconds
  }

  /// Whether a window ends before news of it could have waited.
  func isEnding(_ end: Timestamp, at now: Timestamp) -> Bool {
    end.unixMilliseconds - now.unixMilliseconds <= longest.wholeMilliseconds
  }

  /// Whether a window ends before the next two passes are over.
  func isLastCall(_ end: Timestamp, at now: Timestamp) -> Bool {
    end.unixMilliseconds - now.unixMilliseconds <= (interval * 2).wholeMilliseconds
  }

  /// In how long others' spend is asked for again: `left` remains of the limit, and the fleet has
  /// spent `grown` in the `passed` since the question before.
  func wait(left: PicoUSD?, grown: PicoUSD, passed: Duration) -> Duration {
    guard let left, left > .zero, grown > .zero, passed > .zero else { return longest }
    let seconds = unseenPart * left.dollars / (2 * grown.dollars / passed.seconds)
    guard seconds < longest.seconds else { return longest }
    return max(interval, .milliseconds(Int64(seconds * 1_000)))
  }

  /// Whether an instant that was set `longest` ahead at the most has come.
  func hasCome(_ due: Timestamp, at now: Timestamp) -> Bool {
    due <= now || due.unixMilliseconds - now.unixMilliseconds > longest.wholeMilliseconds
  }
}

extension Duration {
  /// As a number of seconds.
  fileprivate var seconds: Double { Double(wholeMilliseconds) / 1_000 }
}
