import BudgetModel

extension Reconciler {
  /// Finds when the next pass is due: sooner where a budget nears its limit, so that little of what
  /// remains can be spent unseen, and just before a window with spend ends.
  ///
  /// With the fleet's rate r and R remaining, r · 2T stays below a part θ of R where T = θR / 2r.
  mutating func pace(_ chosen: [Int], isUrgent: Bool, _ report: inout PassReport) {
    let now = report.time
    var shortest = settings.interval
    if !isUrgent { urgent = [] }
    for index in chosen {
      measureRate(index, at: now)
      guard states[index].position != nil, let adopted = states[index].adopted,
        let limit = states[index].limit
      else { continue }
      let remaining = (limit - (states[index].total ?? .zero)).dollars
      guard remaining > 0, states[index].rate > 0 else { continue }
      let seconds = settings.unseenPart * remaining / (2 * states[index].rate)
      guard seconds < settings.interval.inSeconds, adopted.isOpen(at: now) else { continue }
      if !isUrgent, urgent.count < settings.urgentBound { urgent.append(index) }
      shortest = min(shortest, .milliseconds(Int64(seconds * 1_000)))
    }
    report.isNextUrgent = shortest < settings.interval
    report.nextPass = max(shortest, settings.shortestInterval)
    // Before a window ends its last spend should be with the fleet.
    for index in chosen {
      guard let adopted = states[index].adopted, states[index].confirmed > .zero else { continue }
      let left = adopted.end.unixMilliseconds - now.unixMilliseconds - Self.lastPassMilliseconds
      guard left > 0, .milliseconds(left) < report.nextPass else { continue }
      report.nextPass = .milliseconds(left)
      report.isNextUrgent = false
    }
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

extension Duration {
  /// In seconds.
  var inSeconds: Double {
    let (seconds, attoseconds) = components
    return Double(seconds) + Double(attoseconds) / 1e18
  }
}
