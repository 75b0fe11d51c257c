import BudgetModel

extension KnownBudgets {
  /// Wakes the next budgets that are due; gives their places.
  mutating func wakeSlice(at now: Timestamp) -> [Int] {
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
      // Its claim is known nowhere else.
      if now != nil || states[index].claims != nil, !states[index].canRest {
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

  /// The place of a budget in which something is reserved: one of a pattern is awake as long as this node
  /// claims something of it. Nil: the store does not keep it.
  mutating func placeInUse(_ key: BudgetKey, at now: Timestamp) -> Int? {
    if let index = places[key] {
      return states[index].position != nil || states[index].dynamic != nil ? index : nil
    }
    guard var state = dynamic.wake(key, at: now) else { return nil }
    places[key] = states.count
    state.reset = resets?.starts[key]
    states.append(state)
    return states.count - 1
  }

  /// Budgets of patterns in which nothing is claimed any more can rest; gives those.
  mutating func endClaims(besides wanted: Set<BudgetKey>, at now: Timestamp) -> [BudgetKey] {
    var ended: [BudgetKey] = []
    for index in states.indices where states[index].dynamic != nil {
      guard let claims = states[index].claims, !wanted.contains(states[index].key),
        claims.isIdle || states[index].record == nil && claims.hasEnded(at: now)
      else { continue }
      states[index].claims = nil
      ended.append(states[index].key)
    }
    return ended
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
