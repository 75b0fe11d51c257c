public import BudgetModel

/// Whether a reading of the store's clock is believed. A value: clocks are told to it.
///
/// A reading that is far from what this node expects is a jump. Windows end by the store's clock, so
/// a jump that is not real would end all of them at once, and a jump back would keep them open.
public struct ClockTrust: Equatable, Sendable {
  /// The clocks at the moment of one reading, in milliseconds.
  public struct Reading: Equatable, Sendable {
    /// The store's.
    public var store: Int64
    /// Fleet time, as this node had it before the reading.
    public var expected: Int64
    /// This host's wall clock.
    public var wall: Int64
    /// The time that has passed on this host, asleep or awake.
    public var elapsed: Int64
    /// How far `store` may be off for the way there and back.
    public var uncertainty: Int64

    /// Makes a reading.
    public init(store: Int64, expected: Int64, wall: Int64, elapsed: Int64, uncertainty: Int64) {
      self.store = store
      self.expected = expected
      self.wall = wall
      self.elapsed = elapsed
      self.uncertainty = uncertainty
    }
  }

  /// A jump that is not followed yet.
  private struct Suspicion: Equatable, Sendable {
    /// The store's clock less what has passed on this host.
    var offset: Int64
    var since: Int64
    var lastHeard: Int64
  }

  /// The largest difference that is not a jump, in milliseconds.
  public let bound: Int64
  private var hasHeard = false
  private var suspicion: Suspicion?

  /// The wall clock agrees with what is as near to it.
  static let wallToleranceMilliseconds: Int64 = 60_000
  /// Readings agree with each other that are as near.
  static let agreementMilliseconds: Int64 = 2_000
  /// So long readings have to agree before the wall clock counts for nothing.
  static let patienceMilliseconds: Int64 = 60_000
  /// After a longer silence the readings before it say nothing.
  static let silenceMilliseconds: Int64 = 120_000

  /// Believes what is less than `bound` from what was expected.
  public init(bound: Duration) {
    self.bound = bound.components.seconds * 1_000
  }

  /// Whether the reading is believed. The first of a life is: there is nothing to hold it against.
  public mutating func believes(_ reading: Reading) -> Bool {
    guard hasHeard else {
      hasHeard = true
      return true
    }
    let slack = reading.uncertainty
    if Self.areNear(reading.store, reading.expected, bound + slack)
      || Self.areNear(reading.store, reading.wall, Self.wallToleranceMilliseconds + slack)
    {
      suspicion = nil
      return true
    }
    let offset = reading.store - reading.elapsed
    guard var suspicion,
      Self.areNear(offset, suspicion.offset, Self.agreementMilliseconds + slack),
      reading.elapsed - suspicion.lastHeard <= Self.silenceMilliseconds
    else {
      suspicion = Suspicion(
        offset: offset, since: reading.elapsed, lastHeard: reading.elapsed)
      return false
    }
    suspicion.lastHeard = reading.elapsed
    let isSettled = reading.elapsed - suspicion.since >= Self.patienceMilliseconds
    self.suspicion = isSettled ? nil : suspicion
    return isSettled
  }

  private static func areNear(_ one: Int64, _ other: Int64, _ distance: Int64) -> Bool {
    (one - other).magnitude <= UInt64(distance)
  }
}

/// The store's clock says what this node does not believe: nothing is decided by it, and nothing is
/// pushed.
public struct ClockDoubt: Error, Equatable, Sendable {
  /// The reading of the store's clock.
  public var store: Timestamp
  /// The time that this node had expected.
  public var expected: Timestamp
  /// How far apart the two may be, in seconds.
  public var boundSeconds: Int64

  /// Makes a doubt.
  public init(store: Timestamp, expected: Timestamp, boundSeconds: Int64) {
    self.store = store
    self.expected = expected
    self.boundSeconds = boundSeconds
  }
}

extension ClockDoubt: CustomStringConvertible {
  /// Both times, and what ends the doubt.
  public var description: String {
    "Redis' clock says \(store.iso8601), this node's time is \(expected.iso8601): more than "
      + "\(boundSeconds) s apart (--clock-jump-bound-s); it is followed once this host's clock "
      + "agrees with it, or when it has said the same for 60 s"
  }
}
