import BudgetAlerts
import BudgetEngine
import BudgetModel
import BudgetPages

/// Reads budgets for the watch, a slice of them at a time: a million of them are looked at within a
/// minute, and a few thousand each second.
struct AlertLook {
  /// So many are read at a time.
  static let slice = 20_000
  /// Past so many dynamic budgets they are looked at more seldom.
  static let dynamicSlice = 20_000
  /// More than those that are known are not brought at a time.
  private static let mostDynamic = 1_000
  /// Paces are measured once a minute: forecasts are made in one round of so many seconds.
  private static let forecastMilliseconds: Int64 = 30_000

  private let engine: BudgetEngine
  private let pace: SpendSampling
  private var next = 0
  private var edition: UInt64?
  private var dynamicTurn = 0
  private var forecastAt: Timestamp?
  private var makesForecasts = false

  init(_ engine: BudgetEngine, _ pace: SpendSampling) {
    self.engine = engine
    self.pace = pace
  }

  /// Some readings, and whether they end a round.
  struct Found {
    var readings: [AlertReading] = []
    var endsRound = false
    /// Whether forecasts were made in the round.
    var hasForecasts = false
  }

  /// The next slice of the budgets that entries name: those of which `percent` is spent at least (nil:
  /// that is not asked), and those whose money will be gone.
  mutating func nextSlice(reached percent: Int?, forecasts: Bool, at now: Timestamp) -> Found {
    let catalog = engine.catalog
    if edition != catalog.edition { (edition, next) = (catalog.edition, 0) }
    if next == 0 { beginRound(forecasts, at: now) }
    let budgets = catalog.budgets
    let end = min(next + Self.slice, budgets.endIndex)
    var found = Found(endsRound: end == budgets.endIndex, hasForecasts: makesForecasts)
    let pace = makesForecasts ? pace.reading : nil
    for place in max(next, budgets.startIndex)..<max(end, budgets.startIndex) {
      let budget = budgets[place]
      if budget.isPattern { continue }
      let report = engine.report(on: budget, at: now)
      guard var reading = AlertReading(report), reading.spend > .zero else { continue }
      let forecasts = pace?.forecasts(ofSlot: budget.slot, report, at: now)
      reading.runsOutAt = forecasts?.leading?.forecast.exhaustsAt
      guard reading.runsOutAt != nil || percent.map({ reading.hasReached(percent: $0) }) ?? false
      else { continue }
      found.readings.append(reading)
    }
    next = found.endsRound ? 0 : end
    return found
  }

  private mutating func beginRound(_ forecasts: Bool, at now: Timestamp) {
    let isDue =
      forecastAt.map { now.unixMilliseconds - $0.unixMilliseconds >= Self.forecastMilliseconds }
      ?? true
    makesForecasts = forecasts && isDue
    if makesForecasts { forecastAt = now }
  }

  /// Budgets that names have from patterns, where it is their turn.
  mutating func dynamic(
    reached percent: Int, besides known: Int, at now: Timestamp
  ) -> [AlertReading] {
    let live = engine.dynamicBudgetCount
    if live == 0 { return [] }
    dynamicTurn += 1
    guard dynamicTurn > live / Self.dynamicSlice else { return [] }
    dynamicTurn = 0
    return DynamicReading(of: engine, in: engine.catalog, at: now)
      .reached(percent: percent, atMost: Self.mostDynamic + known)
      .compactMap { found in
        var reading = AlertReading(found.report)
        reading?.isDynamic = true
        return reading
      }
  }
}

extension AlertReading {
  /// Nil: the budget has no limit, or no open window.
  init?(_ report: BudgetReport) {
    guard let limit = report.limit, let start = report.startedAt, let end = report.resetsAt else {
      return nil
    }
    self.init(
      key: report.key, window: Window(start: start, end: end), limit: limit, spend: report.spend)
    mode = report.mode
  }
}

extension CatalogBudget {
  /// Whether it is where a pattern's names go for which there is no room.
  fileprivate var isPattern: Bool {
    let key = definition.key
    return key.scope != .total && key.scope != .pool && key.name.utf8.last == UInt8(ascii: "*")
  }
}
