import BudgetModel

/// Remembers what budgets were charged with some minutes ago, to tell how fast money goes. A value
/// without a clock.
struct SpendSampler {
  /// What was charged up to an instant.
  struct Point {
    var at: Timestamp
    /// By slot; less than nothing: not known.
    var charged: [PicoUSD]
    var requests: Int

    /// Of a budget that was not in force.
    static let unknown = PicoUSD(pico: -1)
  }

  /// How fast money went, and over which time that was seen.
  struct Rate: Equatable {
    var dollarsPerSecond: Double
    var seconds: Double
  }

  /// How often a point is taken.
  static let interval = Duration.seconds(60)
  /// Points older than this are of no interest.
  static let window = Duration.seconds(300)
  /// Less is too little to tell.
  static let shortest = Duration.seconds(10)

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
    guard
      let base = base(
        at: now,
        where: {
          slot < $0.charged.count && $0.charged[slot] >= .zero
        })
    else { return nil }
    let seconds = Self.seconds(from: base.at, to: now)
    return Rate(
      dollarsPerSecond: (charged - base.charged[slot]).dollars / seconds, seconds: seconds)
  }

  /// How many requests a second were answered lately.
  func requestsPerSecond(_ requests: Int, at now: Timestamp) -> Double? {
    guard let base = base(at: now, where: { _ in true }) else { return nil }
    return Double(requests - base.requests) / Self.seconds(from: base.at, to: now)
  }

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
