import BudgetModel

extension Reconciler {
  /// Finds when the next pass is due: sooner where a budget nears its limit, so that little of what
  /// remains can be spent unseen, and just before a window with spend ends.
  ///
  /// With the fleet's rate r and R remaining, r · 2T stays below a part θ of R where T = θR / 2r.
  mutating func pace(_ chosen: [Int], isUrgent: Bool, _ report: inout PassReport) {
    let now = report.time
    if !isUrgent {
      urgent = []
      lastWholePass = now
    }
    var soonest = settings.interval
    for index in chosen {
      measureRate(index, at: now)
      guard let due = due(states[index], at: now), due < settings.interval else { continue }
      soonest = min(soonest, due)
      if !isUrgent, urgent.count < settings.urgentBound { urgent.append(index) }
    }
    // The store's clock may have gone back: a pass that lies ahead was just now.
    let sinceWhole = max(0, now.unixMilliseconds - (lastWholePass ?? now).unixMilliseconds)
    let whole = settings.interval - .milliseconds(sinceWhole)
    report.isNextUrgent = soonest < whole
    report.nextPass = max(min(soonest, whole), settings.shortestInterval)
  }

  /// In how long a budget wants to be looked at; nil: it can wait.
  private func due(_ state: BudgetState, at now: Timestamp) -> Duration? {
    guard let adopted = state.adopted, adopted.isOpen(at: now) else { return nil }
    var due: Duration?
    if let limit = state.limit, state.position != nil, state.rate > 0 {
      let remaining = (limit - (state.total ?? .zero)).dollars
      if remaining > 0 {
        let seconds = settings.unseenPart * remaining / (2 * state.rate)
        due = .milliseconds(Int64(min(seconds, 3_600) * 1_000))
      }
    }
    // Before a window ends its last spend should be with the fleet.
    let left = adopted.end.unixMilliseconds - now.unixMilliseconds - Self.lastPassMilliseconds
    if left > 0, state.confirmed > .zero || state.hasNews {
      due = min(due ?? .milliseconds(left), .milliseconds(left))
    }
    return due
  }

  /// How long before a window's end its last pass is.
  private static let lastPassMilliseconds: Int64 = 200

  private mutating func measureRate(_ index: Int, at now: Timestamp) {
    guard let total = states[index].total, states[index].record != nil else {
      states[index].rateBase = nil
      states[index].rate = 0
      return
    }
    guard let base = states[index].rateBase else {
      states[index].rateBase = (total, now)
      return
    }
    let passed = Double(now.unixMilliseconds - base.at.unixMilliseconds) / 1_000
    guard passed >= 0.2 else { return }
    let rate = max(0, (total - base.total).dollars) / passed
    // Half old, half new: one quiet moment does not make a busy budget slow.
    states[index].rate = states[index].rate == 0 ? rate : (states[index].rate + rate) / 2
    states[index].rateBase = (total, now)
  }
}
