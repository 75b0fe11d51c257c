public import BudgetEngine
public import BudgetModel
import Dispatch
import Locks

/// Reads all budgets once a minute, off the request path, to tell how fast their money goes: for pages
/// and for replies.
public final class SpendSampling: Sendable {
  private struct State {
    var pace = SpendPace()
    var requests = RequestPace()
  }

  private let engine: BudgetEngine
  private let time: any TimeSource
  /// The time that has passed since this object was made, asleep or awake.
  private let uptime: @Sendable () -> Duration
  private let state = Locked(State())
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

  /// Reads now, and from now on once a minute for as long as this object lives. `requests` tells how
  /// many were answered.
  public func start(requests: @escaping @Sendable () -> Int) {
    sample(requests: requests())
    waitForNext(requests)
  }

  private func waitForNext(_ requests: @escaping @Sendable () -> Int) {
    let interval = DispatchTimeInterval.nanoseconds(Int(SpendPace.interval.nanoseconds))
    queue.asyncAfter(deadline: .now() + interval) { [weak self] in
      self?.sample(requests: requests())
      self?.waitForNext(requests)
    }
  }

  /// The slots belong to other budgets from now on.
  public func forget(_ slots: [Int32]) {
    if !slots.isEmpty { state.withLock { $0.pace.forget(slots) } }
  }

  /// The paces so far, to be asked at this moment.
  public var reading: PaceReading {
    let now = uptime()
    return state.withLock { PaceReading(pace: $0.pace, requests: $0.requests, now: now) }
  }

  /// Reads all budgets in force.
  func sample(requests: Int) {
    let (fleetTime, now) = (time.now(), uptime())
    let readings = engine.catalog.budgets.map { budget in
      (slot: budget.slot, reading: SpendPace.Reading(engine.report(on: budget, at: fleetTime)))
    }
    state.withLock { state in
      state.pace.read(readings, at: now)
      state.requests.add(requests, at: now)
    }
  }
}

/// How fast money goes, as of one moment.
public struct PaceReading: Sendable {
  let pace: SpendPace
  let requests: RequestPace
  let now: Duration

  /// How fast the money of the budget in `slot` goes; nil: not known.
  func rate(_ span: SpendPace.Span, ofSlot slot: Int32, _ report: BudgetReport) -> SpendPace.Rate? {
    pace.rate(span, ofSlot: slot, reading: SpendPace.Reading(report), at: now)
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
