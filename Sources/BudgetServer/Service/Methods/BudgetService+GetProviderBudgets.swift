import BudgetEngine
import BudgetFleet
import BudgetModel
import BudgetPages
import BudgetWire

extension BudgetService {
  /// Tells where the budgets stand, a page at a time. Not the hot path: it may allocate.
  mutating func getProviderBudgets(
    _ head: RequestHead, output: inout [UInt8]
  ) throws(ServiceRefusal) {
    let request = try ServiceRefusal.of { () throws(WireFault) in
      try reader.decoder.getProviderBudgets(head)
    }
    let catalog = catalogs.current()
    let now = context.time.now()
    let engine = context.engine
    let dynamic = DynamicReading(of: engine, in: catalog, at: now)
    let page =
      request.pattern.isEmpty
      ? try BudgetPage(request, in: catalog, dynamic)
      : try BudgetPage(
        nearest: request.nearest, to: request.pattern.printable, in: catalog, dynamic)
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
    responses.appendProviderBudgets(response, callID: head.callID, to: &output)
  }
}

extension BudgetService {
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
    if let report = patterns.first(where: { $0.number == number }), let changed = report.changed {
      configuredLimitUSD = report.configured.limit?.dollars
      overrideUntilUnixMilliseconds = changed.until?.unixMilliseconds
      overrideVersion = changed.limitChange?.version.description ?? ""
      overrideReason = changed.reason
    }
    mode = policy.mode
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
