public import BudgetModel
import Locks

extension BudgetEngine {
  /// Keeps an amount back in all budgets that a cost would be charged to, or in none.
  ///
  /// A budget denies where what is spent reaches its limit, or where that, what is kept back already
  /// and the amount do not fit under it; a frozen one always. No limit never denies, nor does a budget
  /// that only watches. Precondition: the amount is not negative, `ask.ttl` within its bounds, and
  /// `charged` was looked up in `moment.catalog`.
  public func reserve(
    _ ask: ReservationAsk, over charged: ChargedSlots, at moment: ReservationMoment,
    with attempt: inout ReservationAttempt
  ) -> ReservationAnswer {
    attempt.begin(askingForNames: reservations.asksForNames)
    if charged.isStale { return .outdated }
    let answer = tryToReserve(ask, over: charged, at: moment, with: &attempt)
    if answer == .denied { reservations.countDenied() }
    return answer
  }

  /// The same, after `attempt.begin`; a denial is not counted, since another candidate may follow.
  func tryToReserve(
    _ ask: ReservationAsk, over charged: borrowing ChargedSlots, at moment: ReservationMoment,
    with attempt: inout ReservationAttempt
  ) -> ReservationAnswer {
    precondition(ask.amount.amount >= .zero, "less than nothing cannot be reserved")
    precondition(ReservationAsk.ttlBounds.contains(ask.ttl), "a reservation's time is bounded")
    attempt.arrange(charged)
    let now = moment.now
    let until = Timestamp(unixMilliseconds: now.unixMilliseconds + ask.ttl)
    let slab = ask.key.map(reservations.slab) ?? reservations.slab(in: &attempt.slabs)
    var isFirst = false
    let answer = reservations.with(slab) { contents -> ReservationAnswer in
      if let key = ask.key, let place = contents.place(of: key) {
        return known(key, at: place, slab, in: &contents)
      }
      guard let count = reservations.begin() else {
        contents.counts.full += 1
        return .full(bound: reservations.settings.openBound)
      }
      let wanted = BudgetShards.HoldAsk(ask.amount, until: until, at: moment)
      switch shards.hold(&attempt, wanted, over: charged) {
      case .held:
        isFirst = count == 1
        let entry = ReservationEntry(
          attempt.judged, until: until, key: ask.key, candidate: attempt.candidate)
        let index = contents.add(entry, over: attempt.order, at: now)
        return .held(reservation(at: index, slab, in: contents))
      case .denied:
        attempt.noteDenials()
        reservations.ended()
        return .denied
      case .lacking:
        attempt.noteLacking()
        contents.counts.deferred += 1
        reservations.ended()
        return .deferred
      case .outdated:
        reservations.ended()
        return .outdated
      }
    }
    if isFirst { reservations.first() }
    return answer
  }

  /// After `deferred`: where the fleet was asked a moment ago for as much of some budget, and refused it, the
  /// reservation is denied, and `attempt.denials` says by which budgets. False: the fleet is to be asked.
  public func deny(
    _ attempt: inout ReservationAttempt, where isRefused: (LackingRoom) -> Bool
  ) -> Bool {
    guard attempt.denyLacking(where: isRefused) else { return false }
    reservations.countDenied()
    return true
  }

  /// Has `body` called, on the thread that reserves, whenever a reservation is open and none was before.
  public func whenReservationsBegin(_ body: @escaping @Sendable () -> Void) {
    reservations.first.set(body)
  }

  private func known(
    _ key: ReservationKey, at place: Int32, _ slab: Int, in contents: inout ReservationSlab
  ) -> ReservationAnswer {
    guard contents[place].key.isSameRequest(as: key) else { return .clash }
    guard contents[place].key.fingerprint == key.fingerprint else { return .regrouped }
    contents.counts.known += 1
    return .known(reservation(at: place, slab, in: contents))
  }

  private func reservation(
    at index: Int32, _ slab: Int, in contents: ReservationSlab
  ) -> Reservation {
    let entry = contents[index]
    return reservations.reservation(
      entry, at: Reservations.Place(slab: slab, index: index, life: entry.life))
  }

  /// The reservation that was made by `key`, and not long over; nil: there is none.
  func known(_ key: ReservationKey) -> ReservationAnswer? {
    let slab = reservations.slab(for: key)
    return reservations.with(slab) { contents in
      contents.place(of: key).map { known(key, at: $0, slab, in: &contents) }
    }
  }

  /// Ends an open reservation without a record; false: it is not open, or not known.
  public func release(_ id: ReservationID, at now: Timestamp) -> Bool { end(id, as: .released) }

  /// Ends an open reservation whose cost another node has recorded; false: it is not open, or not known.
  @discardableResult
  public func settledElsewhere(_ id: ReservationID) -> Bool { end(id, as: .settled) }

  private func end(_ id: ReservationID, as state: ReservationEntry.State) -> Bool {
    guard let place = place(of: id) else { return false }
    return reservations.with(place.slab) { contents in
      guard contents.isOpen(place.index, life: place.life) else { return false }
      end(place.index, as: state, in: &contents)
      return true
    }
  }

  /// The budgets of an open reservation of which the fleet has to hear before it lasts `ttl` from now:
  /// this node's claims there might end sooner.
  public func uncovered(
    _ id: ReservationID, by ttl: Int64, at now: Timestamp
  ) -> [LackingRoom] {
    guard let place = place(of: id) else { return [] }
    let until = Timestamp(unixMilliseconds: now.unixMilliseconds + ttl)
    return reservations.with(place.slab) { contents in
      guard contents.isOpen(place.index, life: place.life), contents[place.index].until < until
      else { return [] }
      var rooms: [LackingRoom] = []
      contents.forEachSlot(of: place.index) { slot in
        guard shards.isUncovered(slot, until: until, at: now) else { return }
        rooms.append(LackingRoom(slot: slot, life: 0, needed: .zero))
      }
      return rooms
    }
  }

  /// Lets an open reservation last `ttl` from now at least, and gives its end; nil: it is not open, or
  /// not known.
  public func extend(_ id: ReservationID, by ttl: Int64, at now: Timestamp) -> Timestamp? {
    precondition(ReservationAsk.ttlBounds.contains(ttl), "a reservation's time is bounded")
    guard let place = place(of: id) else { return nil }
    return reservations.with(place.slab) { contents -> Timestamp? in
      guard contents.isOpen(place.index, life: place.life) else { return nil }
      let before = contents[place.index]
      let until = max(
        before.until, Timestamp(unixMilliseconds: now.unixMilliseconds + ttl))
      guard until > before.until else { return until }
      let ends = HeldSum.seconds(from: until)
      contents.forEachSlot(of: place.index) { shards.extend(before.hold, of: $0, to: ends) }
      contents.extend(place.index, until: until, at: now)
      return until
    }
  }

  /// Whether `id` is of this node, in whichever life.
  public func isOwn(_ id: ReservationID) -> Bool { reservations.isOwn(id) }

  /// The place of a reservation of this life; nil: it is of another one, or another node's.
  func place(of id: ReservationID) -> Reservations.Place? {
    guard id.life == reservations.settings.life, reservations.isOwn(id) else { return nil }
    return Reservations.Place(word: id.place)
  }

  /// Takes a reservation's holds out, and ends it.
  func end(
    _ index: Int32, as state: ReservationEntry.State, in contents: inout ReservationSlab
  ) {
    let hold = contents[index].hold
    contents.forEachSlot(of: index) { shards.free(hold, of: $0) }
    contents.end(index, as: state)
    reservations.ended()
  }

  /// Ends reservations whose time is over, `most` at most, and says how many: fewer than `most`, and
  /// none is left. To be called so often that nobody waits for long, with as many at a time as nobody
  /// notices.
  @discardableResult
  public func expireReservations(atMost most: Int, at now: Timestamp) -> Int {
    var count = 0
    reservations.forEachSlabInTurn { slab in
      count += reservations.with(slab) { contents in
        var ended = 0
        while count + ended < most, let index = contents.due(at: now) {
          end(index, as: .expired, in: &contents)
          ended += 1
        }
        return ended
      }
      return count < most
    }
    if count < most {
      let slots = reservations.takeInheritedEnds(atMost: most - count, at: now)
      for slot in slots { shards.dropEnded(in: slot, at: now) }
      count += slots.count
    }
    return count
  }

  /// How many reservations are open. One atomic load.
  public var openReservations: Int { reservations.open }

  /// Whether something is kept back that ends by its time: open reservations, or holds of earlier
  /// lives.
  public var hasHolds: Bool { reservations.open > 0 || reservations.hasInherited }

  /// Counts of reservations. Costs some microseconds.
  public var reservationCounts: ReservationCounts { reservations.counts }

  /// Whether the fleet is asked before more is kept back of budgets that names have from patterns than a
  /// small part of what is left of them; else they go by what this node knows.
  public func askForNames(_ asks: Bool) { reservations.askForNames(asks) }

  /// Whether it is.
  public var asksForNames: Bool { reservations.asksForNames }

  /// How reservations are made and named.
  public var reservationSettings: ReservationSettings { reservations.settings }
}
