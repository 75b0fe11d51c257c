import BudgetModel

/// Budgets that names get from patterns: a pass costs what has news, and news of a budget that is far
/// from its limit waits.
extension Reconciler {
  /// A pass over those that are due, in slices: each that is awake takes much memory.
  mutating func passDynamic(
    _ occasion: RestingBudgets.Occasion, _ node: some FleetNode, _ store: inout some FleetStore,
    _ report: inout PassReport
  ) throws(PassFailure) {
    if dynamic.isEmpty { return }
    let now = report.time
    dynamic.takeDue(occasion, at: now)
    while true {
      let chosen = wakeSlice(at: now)
      if chosen.isEmpty { return dynamic.pace(&report) }
      endWindows(chosen, at: now, &report)
      try read(chosen, &store, &report)
      try settleWindows(chosen, node, &store, &report)
      try merge(chosen, node, &store, &report)
      show(chosen, node, at: now)
      restDynamic(at: now)
    }
  }

  /// Wakes the next budgets that are due; gives their places.
  private mutating func wakeSlice(at now: Timestamp) -> [Int] {
    let first = states.count
    while states.count < first + settings.settleBound, var state = dynamic.wakeNext(at: now) {
      places[state.key] = states.count
      state.reset = resets?.starts[state.key]
      states.append(state)
    }
    return Array(first..<states.count)
  }

  /// Puts those that are awake to rest, but what is out of the ordinary; `now` is nil after a pass
  /// that failed.
  mutating func restDynamic(at now: Timestamp?) {
    for index in states.indices.reversed() where states[index].dynamic != nil {
      if now != nil, !states[index].canRest {
        // It goes on as an entry's, which wait for nothing.
        states[index].dynamic?.tells = true
        continue
      }
      let state = states[index]
      removeState(at: index)
      if let now, !state.isAway {
        dynamic.rest(state, at: now)
      } else {
        dynamic.giveBack(state, at: state.isAway ? now : nil)
      }
    }
    if now == nil { dynamic.giveBackDue() }
  }

  /// Budgets that no entry names any more rest from now on, if patterns give them.
  mutating func takePatterns(_ patterns: [FleetPattern], at now: Timestamp) {
    dynamic.take(patterns)
    for index in states.indices.reversed() where states[index].position == nil {
      if dynamic.take(states[index], at: now) { removeState(at: index) }
    }
  }

  /// The state of a budget, whether it rests or not.
  func state(of key: BudgetKey) -> BudgetState? {
    places[key].map { states[$0] } ?? dynamic.state(of: key)
  }
}
