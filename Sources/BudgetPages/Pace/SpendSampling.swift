public import BudgetEngine
public import BudgetModel
import Dispatch
import Locks

/// Reads all budgets once a minute, off the request path, to tell how fast their money goes: for pages
/// and for replies.
public final class SpendSampling: Sendable {
  private let engine: BudgetEngine
  private let time: any TimeSource
  /// The time that has passed since this object was made, asleep or awake.
  private let uptime: @Sendable () -> Duration
  private let paces = SpendPaces()
  private let requests = Locked(RequestPace())
  private let queue = DispatchQueue(label: "budgetd.sampling", qos: .utility)

  /// Makes one that has read nothing yet. `uptime`: nil: the machine's own clock.
  public init(
    _ engine: BudgetEngine, _ time: any TimeSource, uptime: (@Sendable () -> Duration)? = nil
  ) {
    self.engine = engine
    self.time = time
    let start = ContinuousClock.now
    self.uptime = uptime ?? { ContinuousClock.now - start }
  }

  /// Reads soon, and from then on once a minute for as long as this object lives: nobody waits for it, and
  /// a million budgets take a second. `requests` tells how many were answered.
  public func start(requests: @escaping @Sendable () -> Int) {
    queue.async { [weak self] in
      self?.sample(requests: requests())
      self?.waitForNext(requests)
    }
  }

  private func waitForNext(_ requests: @escaping @Sendable () -> Int) {
    let interval = DispatchTimeInterval.nanoseconds(Int(SpendPace.interval.nanoseconds))
    queue.asyncAfter(deadline: .now() + interval) { [weak self] in
      self?.sample(requests: requests())
      self?.waitForNext(requests)
    }
  }

  /// The slots belong to other budgets from now on.
  public func forget(_ slots: [Int32]) { paces.forget(slots) }

  /// The paces so far, to be asked at this moment.
  public var reading: PaceReading {
    PaceReading(paces: paces, requests: requests.withLock { $0 }, now: uptime())
  }

  /// Reads all budgets in force.
  func sample(requests: Int) {
    let (fleetTime, now) = (time.now(), uptime())
    let budgets = engine.catalog.budgets
    paces.read(budgets.map(\.slot), at: now) { place in
      SpendPace.Reading(engine.report(on: budgets[place], at: fleetTime))
    }
    self.requests.withLock { $0.add(requests, at: now) }
  }
}

/// The paces of all budgets in parts, each behind a lock of its own: lanes ask for paces too, and the
/// parts of a million budgets are read one after the other, each within a few milliseconds.
final class SpendPaces: Sendable {
  private static let count = 128

  private struct Part: ~Copyable {
    let pace = Locked(SpendPace())
  }

  private let parts = InlineArray<128, Part> { _ in Part() }

  private static func part(_ slot: Int32) -> Int { Int(slot) & (count - 1) }

  /// Calls `body` with the part that has the slot's pace.
  func with<Result: Sendable>(_ slot: Int32, _ body: (inout SpendPace) -> Result) -> Result {
    parts[Self.part(slot)].pace.withLock { body(&$0) }
  }

  func forget(_ slots: [Int32]) {
    for slot in slots { with(slot) { $0.forget(CollectionOfOne(slot)) } }
  }

  /// Takes the readings of all budgets, by slot: `reading` gives that of the slot at a place of
  /// `slots`. Budgets that are not among them are forgotten.
  func read(_ slots: [Int32], at now: Duration, _ reading: (Int) -> SpendPace.Reading) {
    var places = [[Int32]](repeating: [], count: Self.count)
    for (place, slot) in slots.enumerated() { places[Self.part(slot)].append(Int32(place)) }
    for part in 0..<Self.count {
      let readings = places[part].map { place in
        (slot: slots[Int(place)], reading: reading(Int(place)))
      }
      parts[part].pace.withLock { $0.read(readings, at: now) }
    }
  }
}

/// How fast money goes, as of one moment.
///
/// It refers to the paces: a copy would be made anew whenever the budgets are read meanwhile.
public struct PaceReading: Sendable {
  let paces: SpendPaces
  let requests: RequestPace
  let now: Duration

  /// How fast the money of the budget in `slot` goes; nil: not known.
  func rate(_ span: SpendPace.Span, ofSlot slot: Int32, _ report: BudgetReport) -> SpendPace.Rate? {
    paces.with(slot) {
      $0.rate(span, ofSlot: slot, reading: SpendPace.Reading(report), at: now)
    }
  }

  /// The forecasts of the budget in `slot`, as `report` tells of it at `time`.
  public func forecasts(
    ofSlot slot: Int32, _ report: BudgetReport, at time: Timestamp
  ) -> Forecasts {
    Forecasts(report, at: time) { rate($0, ofSlot: slot, report) }
  }

  /// How many requests a second were answered lately; nil: not known.
  func requestsPerSecond(_ count: Int) -> Double? { requests.perSecond(count, at: now) }
}

/// How many requests were answered up to some instants of the last five minutes.
struct RequestPace: Sendable {
  private var points: [(at: Duration, count: Int)] = []

  private static let window = Duration.seconds(300)
  /// Less is too little to tell.
  private static let shortest = Duration.seconds(10)

  mutating func add(_ count: Int, at now: Duration) {
    points.removeAll { now - $0.at > Self.window }
    points.append((now, count))
  }

  func perSecond(_ count: Int, at now: Duration) -> Double? {
    let base = points.first { now - $0.at >= Self.shortest && now - $0.at <= Self.window }
    return base.map { Double(count - $0.count) / (Double((now - $0.at).nanoseconds) / 1e9) }
  }
}

extension SpendPace.Reading {
  init(_ report: BudgetReport) {
    self.init(
      charged: report.charged, others: report.spend - report.ownSpend, start: report.startedAt)
  }
}
