public import BudgetModel
import Locks

extension BudgetEngine {
  /// As `addPending` of a record that settles a reservation: in each budget of both the cost becomes
  /// pending in the step in which the hold goes. The record is charged in full wherever it names, and
  /// the hold goes from wherever it is: they may differ.
  ///
  /// The settlement's word is to be told to `settled` or `unsettled`, once it is known what became of
  /// the record.
  public func addPending(
    _ amount: PicoUSD, to charged: borrowing ChargedSlots, settling id: ReservationID,
    at now: Timestamp
  ) -> SettleAnswer {
    precondition(amount >= .zero, "a negative cost cannot be pending")
    if charged.isStale { return .outdated }
    guard reservations.isOwn(id) else {
      return pending(amount, charged, .elsewhere, .elsewhere)
    }
    if id.life != reservations.settings.life {
      guard let (place, isNew) = adopt(id, in: charged, at: now) else {
        return pending(amount, charged, .late, .late)
      }
      let answer = settle(amount, charged, place, as: .inherited)
      if answer == .outdated, isNew { leave(id, at: place) }
      return answer
    }
    return settle(amount, charged, Reservations.Place(word: id.place), as: .freed)
  }

  /// The cost is pending, and nothing is freed.
  private func pending(
    _ amount: PicoUSD, _ charged: borrowing ChargedSlots, _ kind: Settlement.Kind,
    _ ended: Settlement.Ended
  ) -> SettleAnswer {
    guard addPending(amount, to: charged) else { return .outdated }
    return .pending(Settlement(word: ended.rawValue, kind: kind))
  }

  private func settle(
    _ amount: PicoUSD, _ charged: borrowing ChargedSlots, _ place: Reservations.Place,
    as kind: Settlement.Kind
  ) -> SettleAnswer {
    reservations.with(place.slab) { contents in
      let isKnown = contents.holds(place.index, life: place.life)
      let state = isKnown ? contents[place.index].state : .expired
      guard state == .open else {
        let isSettled = state == .settling || state == .settled
        return pending(amount, charged, state.settledTwice, isSettled ? .again : .late)
      }
      guard free(place.index, charging: amount, charged, in: &contents) else { return .outdated }
      contents.beginSettling(place.index)
      return .pending(Settlement(word: place.word, kind: kind))
    }
  }

  /// Takes the holds of a reservation out and makes a cost pending; false, and nothing is done, where a
  /// slot to be charged is another budget's by now.
  private func free(
    _ index: Int32, charging amount: PicoUSD, _ charged: borrowing ChargedSlots,
    in contents: inout ReservationSlab
  ) -> Bool {
    let hold = contents[index].hold
    let slots = charged.slots.span
    var covered = 0
    for done in slots.indices {
      let slot = slots[done]
      let freed = contents.covers(index, slot) ? hold : nil
      if freed != nil { covered += 1 }
      if shards.settle(amount, freeing: freed, in: slot, life: charged.life(of: slot)) { continue }
      for slot in charged.slots[..<done] {
        shards.unsettle(amount, restoring: contents.covers(index, slot) ? hold : nil, in: slot)
      }
      return false
    }
    // Nearly always the record is charged where the hold is, and nowhere else.
    if covered == contents[index].slotCount { return true }
    contents.forEachSlot(of: index) { slot in
      if !charged.charges(slot) { shards.free(hold, of: slot) }
    }
    return true
  }

  /// The record that settles a reservation is recorded, with that cost.
  public func settled(_ word: UInt64, cost: PicoUSD) {
    if let ended = Settlement.Ended(rawValue: word) { return reservations.count(ended) }
    guard word != 0 else { return }
    let place = Reservations.Place(word: word)
    reservations.with(place.slab) { contents in
      guard contents.holds(place.index, life: place.life),
        contents[place.index].state == .settling
      else { return }
      let amount = contents[place.index].amount
      if cost > amount { contents.counts.overrun += cost - amount }
      contents.end(place.index, as: .settled)
      reservations.ended()
    }
  }

  /// The record that was to settle a reservation is definitely not recorded: what was kept back is kept
  /// back again, if its time is not over. The cost is still to be abandoned.
  public func unsettled(_ word: UInt64, at now: Timestamp) {
    guard Settlement.frees(word) else { return }
    let place = Reservations.Place(word: word)
    reservations.with(place.slab) { contents in
      guard contents.holds(place.index, life: place.life),
        contents[place.index].state == .settling
      else { return }
      guard contents[place.index].until > now else {
        contents.end(place.index, as: .expired)
        return reservations.ended()
      }
      let hold = contents[place.index].hold
      contents.forEachSlot(of: place.index) { shards.restore(hold, to: $0) }
      contents.reopen(place.index, at: now)
    }
  }

  // MARK: - Earlier lives

  /// A reservation that an earlier life of this node made becomes one of this life again, in the
  /// budgets of `charged` that still have its part; nil: none has. Once only: a record that names it
  /// again gets the place that it has then.
  private func adopt(
    _ id: ReservationID, in charged: ChargedSlots, at now: Timestamp
  ) -> (place: Reservations.Place, isNew: Bool)? {
    let slab = reservations.slab(of: id)
    let hold = SlotHolds.Hold(
      amount: id.amount, variance: .none, untilSeconds: id.untilSeconds,
      endsSeconds: id.untilSeconds)
    return reservations.with(slab) { contents -> (Reservations.Place, Bool)? in
      if let place = contents.adopted.place(of: id) { return (place, false) }
      var slots: [Int32] = []
      var ends = Int64.max
      for slot in charged.slots {
        guard let adopted = shards.adopt(hold, in: slot, at: now) else { continue }
        // All parts of a reservation end together.
        if !slots.isEmpty, adopted.endsSeconds != ends {
          shards.free(adopted, of: slot)
          continue
        }
        ends = adopted.endsSeconds
        slots.append(slot)
      }
      guard !slots.isEmpty else { return nil }
      var entry = ReservationEntry(
        ReservedAmount(id.amount), until: Timestamp(unixMilliseconds: ends * 1_000), key: nil,
        candidate: nil)
      entry.idUntil = Timestamp(unixMilliseconds: id.untilSeconds * 1_000)
      let index = contents.add(entry, over: slots, at: now)
      contents.counts.inherited += 1
      reservations.adopted()
      let place = Reservations.Place(slab: slab, index: index, life: contents[index].life)
      contents.adopted.note(id, at: place, endsSeconds: ends, now: now)
      return (place, true)
    }
  }
}

extension BudgetEngine {
  /// Nothing came of a reservation that was taken over from an earlier life: it is one of that life
  /// again.
  private func leave(_ id: ReservationID, at place: Reservations.Place) {
    let ends = reservations.with(place.slab) { contents -> [Reservations.InheritedEnd] in
      // Another record of it may have come in between.
      guard contents.isOpen(place.index, life: place.life) else { return [] }
      contents.adopted.forget(id)
      let hold = contents[place.index].hold
      var ends: [Reservations.InheritedEnd] = []
      contents.forEachSlot(of: place.index) { slot in
        shards.free(hold, of: slot)
        shards.inherit([hold.sum], in: slot)
        ends.append(Reservations.InheritedEnd(endsSeconds: hold.endsSeconds, slot: slot))
      }
      contents.withdraw(place.index)
      reservations.ended()
      return ends
    }
    reservations.noteInherited(ends)
  }
}

extension ReservationEntry.State {
  /// The fate of the hold where a record names a reservation that is not open.
  fileprivate var settledTwice: Settlement.Kind {
    switch self {
    case .settling: .underWay
    case .settled: .again
    case .open, .released, .expired: .late
    }
  }
}
