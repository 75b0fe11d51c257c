import BudgetModel

extension Reconciler {
  /// Finds when the next pass is due: sooner where a budget nears its limit, so that little of what
  /// remains can be spent unseen, and just before a window with spend ends.
  ///
  /// With the fleet's rate r and R remaining, r · 2T stays below a part θ of R where T = θR / 2r.
  mutating func pace(_ chosen: [Int], isUrgent: Bool, _ report: inout PassReport) {
    let now = report.time
    if !isUrgent {
      budgets.urgent = []
      lastWholePass = now
    }
    var soonest = settings.interval
    for index in chosen where budgets[index].dynamic == nil || budgets[index].claims != nil {
      budgets[index].measureRate(at: now)
      guard let due = budgets[index].due(settings, at: now), due < settings.interval else {
        continue
      }
      soonest = min(soonest, due)
      if !isUrgent, budgets.urgent.count < settings.urgentBound { budgets.urgent.append(index) }
    }
    // The store's clock may have gone back: a pass that lies ahead was just now.
    let sinceWhole = max(0, now.unixMilliseconds - (lastWholePass ?? now).unixMilliseconds)
    let whole = settings.interval - .milliseconds(sinceWhole)
    report.isNextUrgent = soonest < whole
    report.nextPass = max(min(soonest, whole), settings.shortestInterval)
  }
}

extension BudgetState {
  /// In how long a budget wants to be looked at; nil: it can wait.
  func due(_ settings: ReconcilerSettings, at now: Timestamp) -> Duration? {
    guard let adopted, adopted.isOpen(at: now) else { return nil }
    var due: Duration?
    if let limit, position != nil, rate > 0 {
      let reserved = claims.map { $0.others + $0.use.beyondSpend } ?? .zero
      let remaining = (limit - (total ?? .zero) - reserved).dollars
      if remaining > 0 {
        let seconds = settings.unseenPart * remaining / (2 * rate)
        due = .milliseconds(Int64(min(seconds, 3_600) * 1_000))
      }
    }
    if let back = claims?.due(mode, settings.claims) { due = min(due ?? back, back) }
    // Before a window ends its last spend should be with the fleet.
    let left = adopted.end.unixMilliseconds - now.unixMilliseconds - Self.lastPassMilliseconds
    if left > 0, confirmed > .zero || hasNews {
      due = min(due ?? .milliseconds(left), .milliseconds(left))
    }
    return due
  }

  /// How long before a window's end its last pass is.
  static let lastPassMilliseconds: Int64 = 200

  mutating func measureRate(at now: Timestamp) {
    guard let total, record != nil else {
      rateBase = nil
      rate = 0
      return
    }
    guard let base = rateBase else {
      rateBase = (total, now)
      return
    }
    let passed = Double(now.unixMilliseconds - base.at.unixMilliseconds) / 1_000
    guard passed >= 0.2 else { return }
    let latest = max(0, (total - base.total).dollars) / passed
    // Half old, half new: one quiet moment does not make a busy budget slow.
    rate = rate == 0 ? latest : (rate + latest) / 2
    rateBase = (total, now)
  }
}
