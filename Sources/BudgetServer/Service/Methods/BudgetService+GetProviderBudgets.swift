import BudgetEngine
import BudgetFleet
import BudgetModel
import BudgetPages
import BudgetWire
import Reconciliation
import SpendLedger

extension BudgetService {
  /// Tells where the budgets stand, a page at a time. Not the hot path: it may allocate. Returns
  /// whether it was answered; where not, the reply comes later.
  mutating func getProviderBudgets(
    _ head: RequestHead, token: LedgerToken, output: inout [UInt8]
  ) throws(ServiceRefusal) -> Bool {
    let request = try ServiceRefusal.of { () throws(WireFault) in
      try reader.decoder.getProviderBudgets(head)
    }
    let listing = BudgetListing(context, catalogs.current())
    if request.pattern.isEmpty {
      responses.appendProviderBudgets(
        try listing.page(request), callID: head.callID, to: &output)
      return true
    }
    let (count, pattern) = (request.nearest, request.pattern.printable)
    if listing.isShort {
      responses.appendProviderBudgets(
        try listing.page(nearest: count, to: pattern), callID: head.callID, to: &output)
      return true
    }
    let isTaken = context.recorder.answerLater(.getProviderBudgets, token: token) {
      [responses] callID, output in
      do throws(ServiceRefusal) {
        responses.appendProviderBudgets(
          try listing.page(nearest: count, to: pattern), callID: callID, to: &output)
        return .ok
      } catch {
        responses.appendStatus(error.status, callID: callID, to: &output)
        return error.status.code
      }
    }
    guard isTaken else {
      throw ServiceRefusal(
        .unavailable,
        "\(HistoryDesk.waitingBound) questions about history or patterns wait already: try again in "
          + "a second")
    }
    return false
  }
}

/// The budgets of one configuration as GetProviderBudgets tells of them. No lane is needed for it: to
/// look for the nearest of a million names takes longer than a lane may.
private struct BudgetListing: Sendable {
  private let context: ServiceContext
  private let catalog: BudgetCatalog
  private let now: Timestamp

  init(_ context: ServiceContext, _ catalog: BudgetCatalog) {
    self.context = context
    self.catalog = catalog
    now = context.time.now()
  }

  /// Whether so few names have budgets by patterns that a lane may look at all of them.
  var isShort: Bool { context.engine.dynamicBudgetCount <= DynamicUpkeep.countedAtOnce }

  private var dynamic: DynamicReading { DynamicReading(of: context.engine, in: catalog, at: now) }

  /// The page that `request` asks for.
  func page(_ request: GetProviderBudgetsView) throws(ServiceRefusal) -> GetProviderBudgetsResponse
  {
    response(try BudgetPage(request, in: catalog, dynamic))
  }

  /// The `count` names that are nearest to their limits by `pattern`.
  func page(
    nearest count: UInt32, to pattern: String
  ) throws(ServiceRefusal) -> GetProviderBudgetsResponse {
    response(try BudgetPage(nearest: count, to: pattern, in: catalog, dynamic))
  }

  private func response(_ page: BudgetPage) -> GetProviderBudgetsResponse {
    let engine = context.engine
    var response = GetProviderBudgetsResponse()
    let pace = context.pace.reading
    let patterns = context.upkeep?.patterns(dynamic, in: catalog) ?? dynamic.patterns()
    for budget in page.budgets {
      var (report, message) =
        switch budget {
        case .entry(let budget):
          Self.told(engine.report(on: budget, at: now), budget.definition.rule) {
            pace.forecasts(ofSlot: budget.slot, $0, at: now)
          }
        case .dynamic(let budget): Self.told(budget.report, budget.rule)
        }
      message.tell(of: budget, patterns, in: catalog)
      message.reservationMode = context.fleet?.reservationMode(of: report.key) ?? .alone
      if report.reserved > .zero { message.tell(of: budget, use: engine, at: now) }
      switch report.key.scope {
      case .provider: response.providers.append(message)
      case .deployment: response.deployments.append(message)
      case .tag: response.tags.append(message)
      case .model: response.models.append(message)
      case .pool: response.pools.append(message)
      case .total: response.total.append(message)
      }
    }
    response.nextPageToken = page.nextToken
    response.reservations = reservationTotals()
    response.reconciledAtUnixMilliseconds = context.fleet?.reconciledAt?.unixMilliseconds
    return response
  }

  private func reservationTotals() -> ReservationTotals {
    let counts = context.engine.reservationCounts
    let spend = context.recorder.totals
    var totals = ReservationTotals()
    totals.open = UInt64(counts.open)
    totals.openBound = UInt64(context.engine.reservationSettings.openBound)
    totals.settled = counts.settled
    totals.overrunUSD = counts.overrun.dollars
    totals.recordedUSD = spend.recorded.dollars
    totals.unreservedUSD = spend.unreserved.dollars
    if let fleet = context.fleet {
      totals.nodes = UInt32(clamping: fleet.status.nodes ?? 1)
      totals.reconcileIntervalMilliseconds = UInt32(clamping: fleet.interval.wholeMilliseconds)
    }
    return totals
  }

  private static func told(
    _ report: BudgetReport, _ rule: WindowRule,
    forecasts: (BudgetReport) -> Forecasts = { _ in Forecasts() }
  ) -> (BudgetReport, Budget) {
    var budget = Budget(report, rule)
    let forecasts = forecasts(report)
    budget.quarterHourForecast = forecasts.quarterHour.map { BudgetForecast($0) }
    budget.dayForecast = forecasts.day.map { BudgetForecast($0) }
    return (report, budget)
  }
}

extension FleetMember {
  fileprivate func reservationMode(of key: BudgetKey) -> ReservationMode {
    switch mode(of: key) {
    case .strict: .strict
    case .shared: .shared
    }
  }
}

extension BudgetForecast {
  fileprivate init(_ forecast: Forecast) {
    self.init(
      usdPerSecond: forecast.rate.dollarsPerSecond, overSeconds: forecast.rate.seconds,
      exhaustsAtUnixMilliseconds: forecast.exhaustsAt?.unixMilliseconds)
  }
}

extension Budget {
  /// If it is a pattern's own, it tells of the pattern's names. `patterns` are by their numbers.
  fileprivate mutating func tell(
    of item: BudgetPage.Item, _ patterns: [PatternReport], in catalog: BudgetCatalog
  ) {
    guard case .entry(let budget) = item, let number = catalog.pattern(ofOwn: budget) else {
      return
    }
    let policy = catalog.patternsInForce[number].policy
    let report = patterns.first { $0.number == number }
    wouldHaveDenied = report?.shadowed ?? 0
    if let report, let changed = report.changed {
      configuredLimitUSD = report.configured.limit?.dollars
      overrideUntilUnixMilliseconds = changed.until?.unixMilliseconds
      overrideVersion = changed.limitChange?.version.description ?? ""
      overrideReason = changed.reason
    }
    mode = policy.mode
    isExhausted = mode == .freeze
    pattern = PatternNames(
      limitUSD: policy.limit?.dollars,
      live: patterns.indices.contains(number) ? UInt64(patterns[number].live) : 0)
  }

  /// Tells of the reservations that are open in it.
  fileprivate mutating func tell(
    of item: BudgetPage.Item, use engine: BudgetEngine, at now: Timestamp
  ) {
    let use: BudgetUse?
    switch item {
    case .entry(let budget): use = engine.use(of: budget, at: now)
    case .dynamic(let budget): use = engine.use(ofDynamic: budget.report.key, at: now)
    }
    guard let use else { return }
    openReservations = UInt32(clamping: use.openReservations)
    cushionUSD = use.cushion.dollars
  }

  fileprivate init(_ report: BudgetReport, _ rule: WindowRule) {
    self.init(name: report.key.name, timePeriod: report.key.windowText)
    limitUSD = report.limit?.dollars
    spendUSD = report.spend.dollars
    remainingUSD = report.limit.map { ($0 - report.spend - report.reserved).dollars }
    reservedUSD = report.reserved.dollars
    resetsAtUnixMilliseconds = report.resetsAt?.unixMilliseconds
    isExhausted = report.isExhausted
    mode = report.mode
    if let changed = report.changed {
      configuredLimitUSD = report.configured?.limit?.dollars
      overrideUntilUnixMilliseconds = changed.until?.unixMilliseconds
      overrideVersion = changed.limitChange?.version.description ?? ""
      overrideReason = changed.reason
    }
    wouldHaveDenied = report.shadowed
    if case .calendar(let windows) = rule {
      timeZone = windows.zone.name
      beginsOn = windows.firstDayText ?? ""
    }
  }
}
