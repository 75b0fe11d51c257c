import BudgetModel

extension RestingBudgets {
  /// The state of a budget that is looked at. It rests again with `rest`.
  func state(
    of head: Int32, _ budget: FleetBudget, keys: BudgetKeys, tells: Bool
  ) -> BudgetState {
    let row = self[head]
    var state = BudgetState(budget, keys: keys, position: nil)
    state.dynamic = BudgetState.Dynamic(
      head: head, tells: tells, isInherited: row.flags.contains(.isInherited),
      readDue: row.readDue == Self.never ? nil : row.readDue)
    var record: FleetRecord?
    if row.record.start != Self.never {
      record = FleetRecord(
        key: budget.key, start: row.record.start, end: row.record.end, at: row.record.start)
      record?.total = row.total
      record?.highest = row.highest
    }
    forEach(head) { part in
      let origin = origin(part.origin)
      state.windows[part.start, default: .init(end: part.end)].parts[origin] = part.cumulative
      if part.start == row.record.start {
        record?.confirmed[origin] = part.confirmed
      } else {
        state.windows[part.start]?.confirmed += part.confirmed
      }
    }
    state.record = record
    state.total = row.flags.contains(.hasTotal) ? row.total : nil
    state.mergedAt = row.mergedAt == Self.never ? nil : row.mergedAt
    if let record, row.flags.contains(.isShown) {
      // A view that is owed differs from every one that can be due.
      let isOwed = row.flags.contains(.owesView)
      state.shown = FleetView(budget: isOwed ? -2 : -1, start: record.start, others: state.others)
    }
    return state
  }

  /// The budget is looked at no more; its spend key is to be read again at `readDue`.
  mutating func rest(
    _ state: BudgetState, _ dynamic: BudgetState.Dynamic, readDue: Timestamp, isWatched: Bool
  ) {
    let head = dynamic.head
    self[head].flags.remove([.isAwake, .hasTotal, .isInherited, .isShown, .owesView])
    let parts = Self.parts(of: state)
    if parts.isEmpty, state.record == nil { return remove(head) }
    setParts(head, parts)
    self[head].record = state.adopted ?? Window(start: Self.never, end: Self.never)
    self[head].total = state.total ?? state.record?.total ?? .zero
    self[head].highest = state.record?.highest ?? .zero
    self[head].mergedAt = state.mergedAt ?? Self.never
    self[head].readDue = readDue
    if state.total != nil { self[head].flags.insert(.hasTotal) }
    if dynamic.isInherited { self[head].flags.insert(.isInherited) }
    if let shown = state.shown {
      self[head].flags.insert(.isShown)
      // A pass that failed has read what it did not come to show.
      let known = FleetView(budget: -1, start: self[head].record.start, others: state.others)
      if shown != known || dynamic.isInherited { self[head].flags.insert(.owesView) }
    }
    if parts.contains(where: { $0.cumulative > $0.confirmed }), !dynamic.isInherited { list(head) }
    // Told: what there is from now on is newer.
    if dynamic.tells { self[head].unsentSince = Self.never }
    if isWatched, !self[head].flags.contains(.isWatched) {
      self[head].flags.insert(.isWatched)
      watched.append(head)
    }
  }

  private static func parts(of state: BudgetState) -> [Part] {
    var parts: [Part] = []
    for (start, window) in state.windows {
      let isRecord = state.record?.start == start
      // Late spend that was counted needs no telling any more.
      var settled = isRecord ? .zero : window.confirmed + window.late
      for (origin, amount) in window.parts {
        let own = isRecord ? state.record?.confirmed[origin] ?? .zero : min(settled, amount)
        if !isRecord { settled -= own }
        parts.append(
          Part(
            start: start, end: window.end, origin: origin, cumulative: amount, confirmed: own))
      }
    }
    return parts
  }
}

extension BudgetState {
  /// The part of a state that dynamic budgets have alone.
  struct Dynamic {
    /// Its head among those that rest.
    let head: Int32
    /// Whether this pass tells its spend.
    var tells: Bool
    /// An earlier life may have told of its spend; what the store has of it is not known.
    var isInherited: Bool
    /// When its spend key was to be read; nil: it never was.
    var readDue: Timestamp?
  }

  /// Whether it can rest: out of the ordinary it is looked at in every pass, as entries' budgets are.
  var canRest: Bool {
    !isContested && !isBroken && !hasFallen && foreignCount == 0 && staleUntil == nil
      && ignoredStart == nil && claims == nil
  }
}
