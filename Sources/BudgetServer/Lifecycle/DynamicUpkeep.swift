import BudgetEngine
import BudgetModel
import Dispatch
import Locks
import Logging

/// Gives dynamic budgets back whose windows have ended, a slice at a time, says once a minute where names
/// find no place, and counts those of each pattern.
final class DynamicUpkeep: Sendable {
  private struct State {
    var saidAt: Timestamp?
    /// How many charges had found no place by then.
    var overflowed: UInt64 = 0
    /// The patterns as they were counted last, under which configuration and when.
    var counted: (generation: UInt64, at: Timestamp, patterns: [PatternReport])?
  }

  private weak let engine: BudgetEngine?
  private let time: any TimeSource
  private let log: Logger
  private let state = Locked(State())

  /// So many rows are looked at under one lock, and so many slices are taken a second.
  private static let sliceRows = 1_024
  private static let slicesASecond = 64
  private static let quietMilliseconds: Int64 = 60_000
  /// More budgets are not counted on a lane.
  static let countedAtOnce = 10_000

  init(_ engine: BudgetEngine, _ time: any TimeSource, log: Logger) {
    self.engine = engine
    self.time = time
    self.log = log
  }

  /// Begins, and goes on each second for as long as the engine lives.
  func start() {
    DispatchQueue.global(qos: .utility).asyncAfter(deadline: .now() + 1) { [self] in
      guard let engine else { return }
      look(engine, at: time.now())
      start()
    }
  }

  /// The patterns of `catalog`, by their numbers, with how many names have a budget by each: counted
  /// now, or of very many within the last minute. None: they are not counted yet.
  func patterns(_ reading: DynamicReading, in catalog: BudgetCatalog) -> [PatternReport] {
    if catalog.patternsInForce.isEmpty { return [] }
    if (engine?.dynamicBudgetCount ?? 0) <= Self.countedAtOnce { return reading.patterns() }
    let counted = state.withLock { $0.counted }
    return counted?.generation == catalog.edition ? counted?.patterns ?? [] : []
  }

  private func count(_ engine: BudgetEngine, at now: Timestamp) {
    guard engine.dynamicBudgetCount > Self.countedAtOnce else { return }
    let catalog = engine.catalog
    let isKnown = state.withLock { state in
      state.counted.map { counted in
        let age = now.unixMilliseconds - counted.at.unixMilliseconds
        return counted.generation == catalog.edition && age < Self.quietMilliseconds
      } ?? false
    }
    if isKnown { return }
    let patterns = DynamicReading(of: engine, in: catalog, at: now).patterns()
    state.withLock { $0.counted = (catalog.edition, now, patterns) }
  }

  /// One second's work.
  func look(_ engine: BudgetEngine, at now: Timestamp) {
    count(engine, at: now)
    for _ in 0..<Self.slicesASecond where engine.dynamicBudgetCount > 0 {
      engine.sweepDynamicBudgets(atMost: Self.sliceRows, at: now)
    }
    let overflowed = engine.overflowedCharges
    let news = state.withLock { state -> UInt64? in
      guard overflowed > state.overflowed else { return nil }
      if let saidAt = state.saidAt,
        now.unixMilliseconds - saidAt.unixMilliseconds < Self.quietMilliseconds
      {
        return nil
      }
      defer { state.overflowed = overflowed }
      state.saidAt = now
      return overflowed - state.overflowed
    }
    guard let news else { return }
    let full = engine.catalog.dynamicBudgetsFull.rawValue
    log.warning(
      """
      \(engine.dynamicBudgetCount) dynamic budgets are live, as many as may be \
      (--dynamic-budgets): \(news) charges of other names went to their patterns' own budgets; \
      filters of such names are answered by dynamic_budgets_full: \(full)
      """)
  }
}
