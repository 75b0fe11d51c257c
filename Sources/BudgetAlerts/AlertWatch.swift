public import BudgetModel

/// Looks at budgets and says which alerts are due: a value without a clock.
///
/// Due is a state, not an event: an alert that found no room is due again at the next look. Only the
/// highest threshold that a budget has reached is told. One that was told under another limit is due
/// again once the budget has been below it since.
public struct AlertWatch: Sendable {
  /// A fact of a window, whatever its limit is.
  private struct Matter: Hashable {
    var key: BudgetKey
    var start: Timestamp
    var kind: BudgetAlert.Kind
  }

  private struct Told {
    var limit: PicoUSD
    var end: Timestamp
    /// In which round it was seen last.
    var round: Int
    /// Whether it need not be offered again.
    var isTaken = true
    var wasBelow = false
  }

  /// The fleet's name and when it is told.
  public private(set) var fleet: String
  /// The rules in force.
  public private(set) var rules: AlertRules
  private var told: [Matter: Told] = [:]
  /// Families of alerts that earlier lives have told, and of which nothing was seen in this one.
  private var restored: Set<String>
  private var round = 0
  private var allowance: DynamicAllowance

  /// So many matters are known at a time; past it nothing new is told.
  public static let mostKnown = 50_000

  /// A watch that knows what was told before.
  public init(_ settings: AlertSettings, told families: some Sequence<String>) {
    fleet = settings.name
    rules = settings.rules
    restored = Set(families)
    allowance = DynamicAllowance(perHour: settings.rules.dynamicPerHour)
  }

  /// Other settings are in force from now on; what was told stays so.
  public mutating func change(to settings: AlertSettings) {
    fleet = settings.name
    rules = settings.rules
    allowance.perHour = settings.rules.dynamicPerHour
  }

  /// The lowest part of a limit that is told, in percent.
  public var lowestThreshold: Int? { rules.thresholds.first }

  /// Whether an alert of a name's budget from a pattern may be told now.
  public mutating func hasAllowance(at now: Timestamp) -> Bool { allowance.isLeft(at: now) }

  /// How many matters are known.
  public var count: Int { told.count }

  /// Looks at budgets. `offer` gets each alert that is due, and says what became of it.
  public mutating func look(
    at readings: some Sequence<AlertReading>, now: Timestamp,
    offer: (BudgetAlert) -> AlertBook.Taking
  ) {
    for reading in readings {
      let reached = rules.thresholds.last { reading.hasReached(percent: $0) }
      for percent in rules.thresholds where reached.map({ percent < $0 }) ?? false {
        see(.reached(percent: percent), reading, now)
      }
      if let reached { consider(.reached(percent: reached), reading, now, offer) }
      if isRunningOut(reading, at: now) { consider(.runsOut, reading, now, offer) }
    }
  }

  private func isRunningOut(_ reading: AlertReading, at now: Timestamp) -> Bool {
    guard let bound = rules.runsOutInMilliseconds, let end = reading.runsOutAt else { return false }
    return end.unixMilliseconds - now.unixMilliseconds <= bound && !reading.hasReached(percent: 100)
  }

  /// A threshold below the one that is told is still reached. An earlier life may have told it, on the
  /// way up.
  private mutating func see(
    _ kind: BudgetAlert.Kind, _ reading: AlertReading, _ now: Timestamp
  ) {
    let matter = Matter(key: reading.key, start: reading.window.start, kind: kind)
    told[matter]?.round = round
    guard !restored.isEmpty, told[matter] == nil, told.count < Self.mostKnown else { return }
    let alert = BudgetAlert(kind, of: reading, in: fleet, seenAt: now)
    guard restored.remove(alert.family) != nil else { return }
    told[matter] = Told(limit: reading.limit, end: reading.window.end, round: round)
  }

  private mutating func consider(
    _ kind: BudgetAlert.Kind, _ reading: AlertReading, _ now: Timestamp,
    _ offer: (BudgetAlert) -> AlertBook.Taking
  ) {
    let matter = Matter(key: reading.key, start: reading.window.start, kind: kind)
    if var known = told[matter] {
      known.round = round
      told[matter] = known
      if known.isTaken, known.limit == reading.limit || !known.wasBelow { return }
    } else if told.count >= Self.mostKnown {
      return
    }
    let alert = BudgetAlert(kind, of: reading, in: fleet, seenAt: now)
    var new = Told(limit: reading.limit, end: reading.window.end, round: round)
    // An earlier life has told it: the same alert nobody needs to hear again, and one of another limit
    // is due only once the budget was below.
    if told[matter] == nil, restored.remove(alert.family) != nil {
      told[matter] = new
      return
    }
    let isFirst = told[matter]?.isTaken ?? true
    if reading.isDynamic, isFirst, !allowance.isLeft(at: now) { return }
    switch offer(alert) {
    case .full: return
    case .taken: break
    case .unsettled: new.isTaken = false
    }
    if reading.isDynamic, isFirst { allowance.use() }
    told[matter] = new
  }

  /// Every budget was looked at since the last call: what was not seen since has come below, and what is
  /// of windows that are over is forgotten. Forecasts are looked for more seldom (`hadForecasts`): one
  /// that comes and goes is told again only of another limit.
  public mutating func endRound(at now: Timestamp, hadForecasts: Bool = true) {
    for (matter, known) in told {
      if known.end < now {
        told[matter] = nil
      } else if known.round < round, hadForecasts || matter.kind != .runsOut {
        told[matter]?.wasBelow = true
      }
    }
    restored.removeAll()
    round += 1
  }
}

/// How many alerts of dynamic budgets may still be told: so many an hour, and as many at once.
private struct DynamicAllowance: Sendable {
  var perHour: Int { didSet { left = min(left, Double(perHour)) } }
  private var left: Double
  private var countedAt: Timestamp?

  init(perHour: Int) {
    self.perHour = perHour
    left = Double(perHour)
  }

  mutating func isLeft(at now: Timestamp) -> Bool {
    let passed = countedAt.map { max(0, now.unixMilliseconds - $0.unixMilliseconds) } ?? 0
    left = min(Double(perHour), left + Double(passed) * Double(perHour) / 3_600_000)
    countedAt = now
    return left >= 1
  }

  mutating func use() { left -= 1 }
}
