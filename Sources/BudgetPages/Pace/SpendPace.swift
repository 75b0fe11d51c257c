public import BudgetModel

/// How fast budgets' money goes, the fleet's, over the last 15 minutes and the last 24 hours. A value
/// without a clock: time is told to it, as what has passed since it was made.
///
/// Memory: under 150 bytes a budget, and 164 more for one that was charged since.
public struct SpendPace: Sendable {
  /// A budget at an instant.
  public struct Reading: Sendable {
    /// The sum that this node charged it with since the start, over all windows.
    public var charged: PicoUSD
    /// Others' spend in the open window, as far as it is heard of.
    public var others: PicoUSD
    /// When that window began.
    public var start: Timestamp?

    /// Makes a reading.
    public init(charged: PicoUSD, others: PicoUSD, start: Timestamp?) {
      self.charged = charged
      self.others = others
      self.start = start
    }
  }

  /// A stretch of time over which a rate is measured.
  public enum Span: Int, CaseIterable, Sendable {
    case quarterHour = 0
    case day = 1

    /// As pages and metrics name it.
    public var name: String { self == .quarterHour ? "15m" : "24h" }
    /// From one bucket of charges to the next.
    var bucket: Duration { self == .quarterHour ? .seconds(60) : .seconds(3_600) }
    /// So many buckets, the one that is being filled among them.
    var buckets: Int { self == .quarterHour ? 16 : 25 }
    /// A rate over less says too little of what comes.
    var shortest: Duration { self == .quarterHour ? .seconds(300) : .seconds(10_800) }
    /// The place of its first bucket among a budget's.
    fileprivate var first: Int { self == .quarterHour ? 0 : 16 }
  }

  /// How fast money went, and over which time that was seen.
  public struct Rate: Equatable, Sendable {
    /// Dollars a second.
    public var dollarsPerSecond: Double
    /// How long it was measured.
    public var seconds: Double
    /// Whether it says something of what comes: it was measured for long enough, money went in
    /// several buckets of the time, and most of it in none of them. One large record is not a rate.
    public var isSteady = true
  }

  /// How often budgets are read.
  static let interval = Duration.seconds(60)
  /// In so many buckets money has to go for its rate to be steady.
  static let steadyBuckets = 3
  /// The shortest time that a rate is made of.
  static let shortestSeconds = 10.0

  private struct Track {
    var last: Reading
    /// When the budget was read first.
    var since: Duration
    /// The place of its buckets; -1: it was never charged.
    var ring: Int32 = -1
  }

  private typealias Ring = InlineArray<41, Float>

  private var tracks: [Int32: Track] = [:]
  private var rings: [Ring] = []
  private var freeRings: [Int32] = []
  /// When each bucket of a span began, the oldest first; the last one is being filled.
  private var begun: [[Duration]] = Span.allCases.map { _ in [] }
  /// The bucket of each span that is being filled.
  private var filling = Span.allCases.map { _ in 0 }

  /// Knows of nothing.
  public init() {}

  /// How many budgets are known.
  var count: Int { tracks.count }
  /// How many of them were charged.
  var chargedCount: Int { rings.count - freeRings.count }

  /// Takes the readings of all budgets, by slot. Budgets that are not among them are forgotten.
  mutating func read(_ readings: [(slot: Int32, reading: Reading)], at now: Duration) {
    beginBuckets(at: now)
    for (slot, reading) in readings { take(reading, slot: slot, at: now) }
    if tracks.count > readings.count {
      let known = Set(readings.map(\.slot))
      forget(tracks.keys.filter { !known.contains($0) })
    }
  }

  private mutating func take(_ reading: Reading, slot: Int32, at now: Duration) {
    guard var track = tracks[slot] else {
      tracks[slot] = Track(last: reading, since: now)
      return
    }
    let charge = Self.charge(from: track.last, to: reading)
    if charge > .zero {
      if track.ring < 0 { track.ring = newRing() }
      for span in Span.allCases {
        // The charge came before this instant, and with it before the bucket that begins here.
        rings[Int(track.ring)][span.first + bucketBefore(span, at: now)] += Float(charge.dollars)
      }
    }
    track.last = reading
    tracks[slot] = track
  }

  /// The sum that was charged between two readings, by whomever. Of a window that ended in between others'
  /// last spend is not known.
  private static func charge(from: Reading, to: Reading) -> PicoUSD {
    let own = max(to.charged - from.charged, .zero)
    let others = to.start == from.start ? to.others - from.others : to.others
    return own + max(others, .zero)
  }

  /// The slots belong to other budgets from now on: nothing is known of these yet.
  mutating func forget(_ slots: some Sequence<Int32>) {
    for slot in slots {
      guard let track = tracks.removeValue(forKey: slot), track.ring >= 0 else { continue }
      rings[Int(track.ring)] = Ring(repeating: 0)
      freeRings.append(track.ring)
    }
  }

  private mutating func newRing() -> Int32 {
    if let free = freeRings.popLast() { return free }
    rings.append(Ring(repeating: 0))
    return Int32(rings.count - 1)
  }

  // MARK: - Buckets

  /// A reading a little early begins a bucket too: timers are not exact.
  private static let slack = Duration.seconds(5)

  private mutating func beginBuckets(at now: Duration) {
    for span in Span.allCases {
      let number = span.rawValue
      if let last = begun[number].last, now - last < span.bucket - Self.slack { continue }
      if begun[number].count == span.buckets { begun[number].removeFirst() }
      begun[number].append(now)
      filling[number] = (filling[number] + 1) % span.buckets
      for ring in rings.indices { rings[ring][span.first + filling[number]] = 0 }
    }
  }

  /// The bucket that charges up to `now` belong to.
  private func bucketBefore(_ span: Span, at now: Duration) -> Int {
    let number = span.rawValue
    guard begun[number].last == now, begun[number].count > 1 else { return filling[number] }
    return (filling[number] + span.buckets - 1) % span.buckets
  }

  // MARK: - Rates

  /// How fast the budget in `slot` was charged up to `now`, where it is as `reading` says; nil where
  /// nothing is known from long enough ago.
  public func rate(
    _ span: Span, ofSlot slot: Int32, reading: Reading, at now: Duration
  ) -> Rate? {
    guard let track = tracks[slot], let base = base(span, since: track.since) else { return nil }
    let seconds = (now - base.at).seconds
    guard seconds >= Self.shortestSeconds else { return nil }
    var buckets: [Double] = []
    if track.ring >= 0 {
      for age in 0...base.age {
        let place = (filling[span.rawValue] + span.buckets - age) % span.buckets
        buckets.append(Double(rings[Int(track.ring)][span.first + place]))
      }
    } else {
      buckets = [0]
    }
    buckets[0] += Self.charge(from: track.last, to: reading).dollars
    let sum = buckets.reduce(0, +)
    var rate = Rate(dollarsPerSecond: sum / seconds, seconds: seconds)
    rate.isSteady =
      seconds >= span.shortest.seconds
      && (sum == 0
        || buckets.count { $0 > 0 } >= Self.steadyBuckets
          && 2 * (buckets.max() ?? 0) <= sum * (1 + Self.rounding))
    return rate
  }

  /// Buckets are not exact to the last digit.
  private static let rounding = 1e-6

  /// The oldest bucket all of which is known of the budget: how many buckets ago it began, and when.
  private func base(_ span: Span, since: Duration) -> (age: Int, at: Duration)? {
    let begun = begun[span.rawValue]
    guard let first = begun.firstIndex(where: { $0 >= since }) else {
      // Of the bucket that is being filled a part is known.
      return begun.isEmpty ? nil : (0, since)
    }
    // The part before it is known too.
    if first > 0, begun[first] > since { return (begun.count - first, since) }
    return (begun.count - 1 - first, begun[first])
  }
}

extension Duration {
  fileprivate var seconds: Double { Double(nanoseconds) / 1e9 }
}
