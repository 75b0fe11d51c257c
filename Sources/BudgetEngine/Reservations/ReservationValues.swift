public import BudgetModel

/// The amount that a reservation keeps back in each of its budgets.
public struct ReservedAmount: Hashable, Sendable {
  /// The amount.
  public var amount: PicoUSD
  /// How far the cost may lie from it.
  public var variance: CostVariance
  /// Whether this node estimated it: then it is cut to what a budget has, rather than that nothing
  /// could ever be reserved there.
  public var isEstimated: Bool

  /// Makes an amount; the caller's own is taken as it is.
  public init(_ amount: PicoUSD, variance: CostVariance = .none, isEstimated: Bool = false) {
    self.amount = amount
    self.variance = variance
    self.isEstimated = isEstimated
  }
}

/// Tells a retry of a reservation from another one: digests of the idempotency key and of the
/// request's own fields.
public struct ReservationKey: Hashable, Sendable {
  /// The key's.
  public var digest: UInt128
  /// The fields'; its first 32 bits tell of the candidates too that the configuration gave.
  public var fingerprint: UInt128

  /// Whether both are of the same fields.
  func isSameRequest(as other: ReservationKey) -> Bool {
    (fingerprint ^ other.fingerprint) << 32 == 0
  }

  /// Makes a key of digests that are known already.
  public init(digest: UInt128, fingerprint: UInt128) {
    self.digest = digest
    self.fingerprint = fingerprint
  }
}

/// A reservation that is asked for.
public struct ReservationAsk: Sendable {
  /// The amount to be kept back.
  public var amount: ReservedAmount
  /// How long it lasts, in milliseconds: within `ttlBounds`.
  public var ttl: Int64
  /// Tells a retry; nil: it is never taken for one.
  public var key: ReservationKey?

  /// The shortest and the longest life of a reservation.
  public static let ttlBounds: ClosedRange<Int64> = 1_000...3_600_000
  /// The life of one whose request names none.
  public static let defaultTTL: Int64 = 120_000

  /// Makes a request for a reservation.
  public init(_ amount: ReservedAmount, ttl: Int64 = defaultTTL, key: ReservationKey? = nil) {
    self.amount = amount
    self.ttl = ttl
    self.key = key
  }
}

/// A reservation.
public struct Reservation: Hashable, Sendable {
  /// Its name.
  public var id: ReservationID
  /// The amount kept back in each of its budgets.
  public var amount: PicoUSD
  /// When it ends, or ended.
  public var until: Timestamp
  /// The position of the candidate that it was made for; nil: it was not made by a filter.
  public var candidate: UInt32?
}

/// The answer to a request for a reservation.
public enum ReservationAnswer: Hashable, Sendable {
  /// It is made.
  case held(Reservation)
  /// It was made before, by the same key and fields; it may have ended.
  case known(Reservation)
  /// A budget lacks room: `ReservationAttempt.denials` says which.
  case denied
  /// The key was used before with other fields.
  case clash
  /// The key was used before, when the configuration gave other candidates, or these in another order.
  case regrouped
  /// A dynamic budget was lost, or the configuration changed, since the names were looked up: they are
  /// to be looked up anew.
  case outdated
  /// As many are open as may be.
  case full(bound: Int)
  /// A budget has room, and this node may not take it before it has asked the fleet:
  /// `ReservationAttempt.lacking` says which.
  case deferred
}

/// The effect of a record on the reservation that it names.
public struct Settlement: Hashable, Sendable {
  /// The fate of the hold.
  public enum Kind: Hashable, Sendable {
    /// It ends with the record.
    case freed
    /// The same of one that an earlier life of the node made.
    case inherited
    /// It had ended before, or is not known.
    case late
    /// Another record has settled it.
    case again
    /// Another record that settles it waits for the disk.
    case underWay
    /// Another node has it.
    case elsewhere
  }

  /// Says that the record frees nothing, and why: it is counted once it is known to be recorded, since a
  /// retry of the record that did free it is none.
  enum Ended: UInt64 {
    case late = 1
    case again = 2
    case elsewhere = 3
  }

  /// Goes with the record: `settled` or `unsettled` is to be told it. 0: nothing is to be told.
  public var word: UInt64

  /// Whether a record with that word frees what a reservation of this node keeps back.
  public static func frees(_ word: UInt64) -> Bool { word != 0 && Ended(rawValue: word) == nil }
  /// The fate of the hold.
  public var kind: Kind
}

/// The answer to a record that settles.
public enum SettleAnswer: Hashable, Sendable {
  /// The cost is pending.
  case pending(Settlement)
  /// Nothing is: as `addPending` says.
  case outdated
}

/// The configuration and the time of a request.
public struct ReservationMoment: Sendable {
  /// The configuration that its names were looked up in.
  public var catalog: BudgetCatalog
  /// The time.
  public var now: Timestamp

  /// Makes a moment.
  public init(catalog: BudgetCatalog, now: Timestamp) {
    self.catalog = catalog
    self.now = now
  }
}

/// How reservations are made and named.
public struct ReservationSettings: Sendable {
  /// The node's name in their ids.
  public var node = "node"
  /// The life of the process in their ids: another one each time.
  public var life = UInt32.random(in: .min ... .max)
  /// How many may be open.
  public var openBound = 1_000_000
  /// The amount of an estimate that nothing is known for.
  public var defaultEstimate = PicoUSD(pico: 10_000_000_000)
  /// Whether somebody writes the sums down (`takeChangedHolds`).
  public var notesHolds = false

  /// The usual ones.
  public init() {}
}

/// Counts of reservations since the process started.
public struct ReservationCounts: Hashable, Sendable {
  /// How many are open now, those whose record waits for the disk too.
  public var open = 0
  /// How many were made.
  public var held: UInt64 = 0
  /// The sum of their amounts.
  public var heldAmount = PicoUSD.zero
  /// How many requests were answered with one that was made before.
  public var known: UInt64 = 0
  /// How many requests were denied.
  public var denied: UInt64 = 0
  /// How many were put off until the fleet was asked.
  public var deferred: UInt64 = 0
  /// How many found no room since too many were open.
  public var full: UInt64 = 0
  /// How many a record ended.
  public var settled: UInt64 = 0
  /// The sum of their amounts.
  public var settledAmount = PicoUSD.zero
  /// How many were given back.
  public var released: UInt64 = 0
  /// The sum of their amounts.
  public var releasedAmount = PicoUSD.zero
  /// How many ended by their time.
  public var expired: UInt64 = 0
  /// The sum of their amounts.
  public var expiredAmount = PicoUSD.zero
  /// Reservations of earlier lives that a record named: they count as held too.
  public var inherited: UInt64 = 0
  /// Records whose reservation had ended otherwise, or was not known.
  public var late: UInt64 = 0
  /// Records whose reservation another record had settled.
  public var again: UInt64 = 0
  /// Records whose reservation is another node's.
  public var elsewhere: UInt64 = 0
  /// The sum that costs came to beyond the amounts reserved for them.
  public var overrun = PicoUSD.zero

  /// All zero.
  public init() {}

  static func + (left: ReservationCounts, right: ReservationCounts) -> ReservationCounts {
    var sum = left
    sum.open += right.open
    for field in numbers { sum[keyPath: field] += right[keyPath: field] }
    for field in amounts { sum[keyPath: field] += right[keyPath: field] }
    return sum
  }

  private static let numbers: [any WritableKeyPath<ReservationCounts, UInt64> & Sendable] = [
    \.held, \.known, \.denied, \.deferred, \.full, \.settled, \.released, \.expired, \.inherited,
    \.late, \.again, \.elsewhere,
  ]
  private static let amounts: [any WritableKeyPath<ReservationCounts, PicoUSD> & Sendable] = [
    \.heldAmount, \.settledAmount, \.releasedAmount, \.expiredAmount, \.overrun,
  ]
}
