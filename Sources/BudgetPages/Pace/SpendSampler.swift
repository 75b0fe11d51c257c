import BudgetModel

/// Remembers what budgets were charged with some minutes ago, to tell how fast money goes. A value
/// without a clock.
struct SpendSampler {
  /// The charges up to an instant.
  struct Point {
    var at: Timestamp
    /// By slot; less than nothing: not known.
    var charged: [PicoUSD]
    var requests: Int

    /// Of a budget that was not in force.
    static let unknown = PicoUSD(pico: -1)

    func knows(_ slot: Int) -> Bool { slot < charged.count && charged[slot] >= .zero }
  }

  /// How fast money went, and over which time that was seen.
  struct Rate: Equatable {
    var dollarsPerSecond: Double
    var seconds: Double
    /// Whether it says something about what comes: money went in several of the last minutes, and
    /// most of it in none of them. One large record is not a rate.
    var isSteady = true
  }

  /// How often a point is taken.
  static let interval = Duration.seconds(60)
  /// Points older than this are of no interest.
  static let window = Duration.seconds(300)
  /// Less is too little to tell.
  static let shortest = Duration.seconds(10)
  /// In so many intervals between points money has to go for its rate to be steady.
  static let steadyIntervals = 3

  private(set) var points: [Point] = []

  /// Remembers a point, and forgets those that the next ones make too old.
  mutating func add(_ point: Point) {
    let oldest = point.at.unixMilliseconds - Self.window.milliseconds
    points.removeAll { $0.at.unixMilliseconds < oldest || $0.at >= point.at }
    points.append(point)
  }

  /// The slots belong to other budgets from now on: nothing is known of these yet.
  mutating func forget(_ slots: [Int32]) {
    for index in points.indices {
      for slot in slots where Int(slot) < points[index].charged.count {
        points[index].charged[Int(slot)] = Point.unknown
      }
    }
  }

  /// How fast a budget is charged that has been charged `charged` up to `now`; nil where nothing is
  /// known from long enough ago.
  func rate(ofSlot slot: Int, charged: PicoUSD, at now: Timestamp) -> Rate? {
    guard let base = base(at: now, where: { $0.knows(slot) }) else { return nil }
    let seconds = Self.seconds(from: base.at, to: now)
    return Rate(
      dollarsPerSecond: (charged - base.charged[slot]).dollars / seconds, seconds: seconds,
      isSteady: isSteady(slot: slot, from: base, to: charged))
  }

  /// Whether what was charged since `base` went evenly enough: see `Rate.isSteady`. Nothing at all
  /// is steady.
  private func isSteady(slot: Int, from base: Point, to charged: PicoUSD) -> Bool {
    var last = base.charged[slot]
    let total = charged - last
    if total == .zero { return true }
    var most = PicoUSD.zero
    var intervals = 0
    func take(_ next: PicoUSD) {
      if next > last { intervals += 1 }
      most = max(most, next - last)
      last = next
    }
    for point in points where point.at > base.at && point.knows(slot) { take(point.charged[slot]) }
    take(charged)
    return intervals >= Self.steadyIntervals && most + most <= total
  }

  /// How many requests a second were answered lately.
  func requestsPerSecond(_ requests: Int, at now: Timestamp) -> Double? {
    guard let base = base(at: now, where: { _ in true }) else { return nil }
    return Double(requests - base.requests) / Self.seconds(from: base.at, to: now)
  }

  /// The oldest point of the window that is old enough.
  private func base(at now: Timestamp, where isKnown: (Point) -> Bool) -> Point? {
    points.first { point in
      let age = now.unixMilliseconds - point.at.unixMilliseconds
      return age >= Self.shortest.milliseconds && age <= Self.window.milliseconds
        && isKnown(point)
    }
  }

  private static func seconds(from: Timestamp, to: Timestamp) -> Double {
    Double(to.unixMilliseconds - from.unixMilliseconds) / 1_000
  }
}

extension Duration {
  fileprivate var milliseconds: Int64 { nanoseconds / 1_000_000 }
}
