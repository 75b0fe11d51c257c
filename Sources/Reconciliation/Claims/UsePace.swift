import BudgetModel

/// How fast a node uses up a budget: the growth of its spend and holds together.
struct UsePace: Equatable {
  /// Dollars a second.
  private(set) var rate = 0.0
  private var base: (total: PicoUSD, at: Timestamp)?
  /// When it was seen to grow last.
  private(set) var grewAt: Timestamp?
  /// The amount of a usual reservation.
  private(set) var typical = PicoUSD.zero

  static func == (left: UsePace, right: UsePace) -> Bool {
    left.rate == right.rate && left.grewAt == right.grewAt && left.typical == right.typical
  }

  /// Shorter times tell more of chance than of pace.
  private static let shortest: Int64 = 200

  mutating func note(_ use: NodeUse, waiting: [PicoUSD], at now: Timestamp) {
    if use.open > 0 {
      typical = PicoUSD(pico: use.held.pico / Int128(use.open))
    } else if typical == .zero, let first = waiting.first {
      typical = first
    }
    guard let base else {
      base = (use.total, now)
      if use.open > 0 || !waiting.isEmpty { grewAt = now }
      return
    }
    if use.total > base.total || !waiting.isEmpty { grewAt = now }
    let passed = now.unixMilliseconds - base.at.unixMilliseconds
    // The fleet's clock may have gone back.
    guard passed >= Self.shortest || passed < 0 else { return }
    self.base = (use.total, now)
    guard passed > 0 else { return }
    let latest = max(0, (use.total - base.total).dollars) / (Double(passed) / 1_000)
    rate = rate == 0 ? latest : (rate + latest) / 2
  }

  /// Its use in so long a time; nothing where it has not grown for as long.
  func use(in time: Duration, at now: Timestamp) -> PicoUSD {
    guard let grewAt, now.unixMilliseconds - grewAt.unixMilliseconds <= time.wholeMilliseconds
    else { return .zero }
    let dollars = min(rate * Double(time.wholeMilliseconds) / 1_000, 1e15)
    return PicoUSD(pico: Int128(dollars * 1_000_000) * 1_000_000)
  }
}
