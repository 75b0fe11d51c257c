public import BudgetModel
import Locks

/// The changes that reservations make to the slots of their budgets.
extension BudgetShards {
  /// The order in which locks are taken, and slots within one.
  static func precedes(_ left: Int32, _ right: Int32) -> Bool {
    let (leftShard, rightShard) = (left & Int32(mask), right & Int32(mask))
    return leftShard == rightShard ? left < right : leftShard < rightShard
  }

  /// The outcome of a try to hold; of `attempt.judged`, which may be less than was asked for.
  enum Holding: Sendable {
    case held
    case denied
    case lacking
    /// A slot is another budget's by now.
    case outdated
  }

  /// An amount to be kept back until then, under that configuration.
  struct HoldAsk {
    let asked: ReservedAmount
    let until: Timestamp
    let moment: ReservationMoment

    init(_ asked: ReservedAmount, until: Timestamp, at moment: ReservationMoment) {
      self.asked = asked
      self.until = until
      self.moment = moment
    }
  }

  /// Keeps the amount back in all budgets of `attempt`, those of `charged`, or in none: their shards are
  /// locked one after the other, each budget is looked at, all are judged together, and what is kept back
  /// is there before the first lock is let go. Nobody ever sees a hold that is taken back.
  func hold(
    _ attempt: inout ReservationAttempt, _ ask: borrowing HoldAsk,
    over charged: borrowing ChargedSlots
  ) -> Holding {
    if attempt.isPlain, holdPlainly(ask, in: attempt.order.span, from: 0) {
      attempt.admit(ask.asked)
      return .held
    }
    attempt.fillRooms(charged, in: ask.moment.catalog)
    let holding = hold(&attempt, ask, from: 0)
    let rooms = attempt.rooms.span
    for index in rooms.indices where rooms[index].wouldDeny {
      countShadowed(rooms[index].countedAt)
    }
    return holding
  }

  /// The same where every budget has room for the amount as it is, whatever the time: a few numbers of
  /// each are looked at. False, and nothing is done: one has to be looked at closely.
  private func holdPlainly(
    _ ask: borrowing HoldAsk, in order: Span<Int32>, from start: Int
  ) -> Bool {
    guard start < order.count else { return true }
    let shard = order[start] & Int32(Self.mask)
    return shards[Int(shard)].slots.withLock { slots in
      var end = start
      while end < order.count, order[end] & Int32(Self.mask) == shard {
        let (limit, mode) = ask.moment.catalog.policies.inForce(of: order[end])
        guard mode != .freeze, slots.hasRoom(for: ask.asked, in: order[end], under: limit) else {
          return false
        }
        end += 1
      }
      guard holdPlainly(ask, in: order, from: end) else { return false }
      let hold = SlotHolds.Hold(ask.asked, until: ask.until)
      for index in start..<end {
        slots.add(hold, to: order[index], limit: nil, isNoted: notesHolds)
      }
      return true
    }
  }

  private func hold(
    _ attempt: inout ReservationAttempt, _ ask: borrowing HoldAsk, from start: Int
  ) -> Holding {
    guard start < attempt.rooms.count else {
      switch attempt.judge(ask.asked, at: ask.moment.now) {
      case .admits: return .held
      case .denies: return .denied
      case .lacks: return .lacking
      }
    }
    let shard = Int(attempt.rooms.span[start].slot) & Self.mask
    return shards[shard].slots.withLock { slots in
      guard let end = slots.look(at: &attempt.rooms, from: start, at: ask.moment.now) else {
        return .outdated
      }
      let holding = hold(&attempt, ask, from: end)
      guard holding == .held else { return holding }
      let hold = SlotHolds.Hold(attempt.judged, until: ask.until)
      let rooms = attempt.rooms.span
      for index in start..<end {
        slots.add(
          hold, to: rooms[index].slot, limit: rooms[index].notedLimit, isNoted: notesHolds)
      }
      return holding
    }
  }

  /// Whether a hold of `slot` may not last until then before the fleet has heard of it.
  func isUncovered(_ slot: Int32, until: Timestamp, at now: Timestamp) -> Bool {
    shards[Int(slot) & Self.mask].slots.withLock { slots in
      let claims = slots.use(of: slot, at: now).claims
      return claims.ceiling != nil && claims.coveredUntil < until
    }
  }

  /// Takes a hold out of `slot`.
  func free(_ hold: SlotHolds.Hold, of slot: Int32) {
    let less = shards[Int(slot) & Self.mask].slots.withLock { slots in
      slots.changeOwn(slot, isNoted: notesHolds) { state, holds in
        holds.remove(hold, isNoted: notesHolds)
        holds.tighten(beside: state.spend + state.pending)
      }
    }
    if let less { carryOn(less, of: slot) }
  }

  /// Puts a hold back that was taken out: it was admitted before.
  func restore(_ hold: SlotHolds.Hold, to slot: Int32) {
    let less = shards[Int(slot) & Self.mask].slots.withLock { slots in
      slots.changeOwn(slot, isNoted: notesHolds) { _, holds in
        holds.add(hold, isNoted: notesHolds)
      }
    }
    if let less { carryOn(less, of: slot) }
  }

  // MARK: - Budgets that go on in another slot

  /// How much less is kept back in a slot than before, and the slot in which its budget goes on.
  struct Lessening: Sendable {
    var amount: PicoUSD
    var successor: Int32
  }

  /// The budget of `slot` goes on in `successor`, which has to keep back what is kept back here: it may
  /// be spent there. Gives the state that `slot` had.
  ///
  /// In one step: whatever is freed before it is not handed over, and whatever is freed after it is told to
  /// the successor, be it before the amount.
  func retire(_ slot: Int32, successor: Int32) -> SlotState {
    let (state, handed) = shards[Int(slot) & Self.mask].slots.withLock {
      slots -> (SlotState, CarriedHolds?) in
      let state = slots.places[ShardSlots.place(of: slot)].state
      guard state.holds != Slot.none else {
        slots.update(slot) { $0.retire(successor: successor) }
        return (state, nil)
      }
      let handed = slots.updateHolds(slot, isNoted: false) { state, holds in
        state.retire(successor: successor)
        return holds.handOver(from: slot)
      }
      return (state, handed)
    }
    guard let handed, !handed.isEmpty else { return state }
    shards[Int(successor) & Self.mask].slots.withLock { slots in
      slots.updateHolds(successor, isNoted: false) { _, holds in
        holds.carry(handed, in: successor)
      }
    }
    return state
  }

  /// Tells the slot in which the budget of `origin` goes on, or the one in which that one does.
  private func carryOn(_ less: Lessening, of origin: Int32) {
    var next = less.successor
    while next != Slot.none, next != origin {
      let slot = next
      next = shards[Int(slot) & Self.mask].slots.withLock { slots in
        let successor = slots.places[ShardSlots.place(of: slot)].state.successor
        guard successor == Slot.none else { return successor }
        slots.updateHolds(slot, isNoted: false) { _, holds in
          holds.carryLess(less.amount, of: origin)
        }
        return Slot.none
      }
    }
  }

  /// A hold ends later.
  func extend(_ hold: SlotHolds.Hold, of slot: Int32, to endsSeconds: Int64) {
    shards[Int(slot) & Self.mask].slots.withLock { slots in
      slots.updateHolds(slot, isNoted: notesHolds) { _, holds in
        holds.extend(hold, to: endsSeconds, isNoted: notesHolds)
      }
    }
  }

  /// Counts `amount` as pending in `slot` and takes `hold` out of it, if it has one, in one step:
  /// nobody sees both or neither. False, and nothing is done, where the slot is in another life.
  func settle(
    _ amount: PicoUSD, freeing hold: SlotHolds.Hold?, in slot: Int32, life: UInt32
  ) -> Bool {
    let (isDone, less) = shards[Int(slot) & Self.mask].slots.withLock {
      slots -> (Bool, Lessening?) in
      guard life == 0 || slots.life(of: slot) == life else { return (false, nil) }
      guard let hold else {
        slots.update(slot) { $0.addPending(amount) }
        return (true, nil)
      }
      let less = slots.changeOwn(slot, isNoted: notesHolds) { state, holds in
        state.addPending(amount)
        holds.remove(hold, isNoted: notesHolds)
        holds.tighten(beside: state.spend + state.pending)
      }
      return (true, less)
    }
    if let less { carryOn(less, of: slot) }
    return isDone
  }

  /// Takes `settle` back.
  func unsettle(_ amount: PicoUSD, restoring hold: SlotHolds.Hold?, in slot: Int32) {
    let less = shards[Int(slot) & Self.mask].slots.withLock { slots -> Lessening? in
      guard let hold else {
        slots.update(slot) { $0.dropPending(amount) }
        return nil
      }
      return slots.changeOwn(slot, isNoted: notesHolds) { state, holds in
        holds.add(hold, isNoted: notesHolds)
        state.dropPending(amount)
      }
    }
    if let less { carryOn(less, of: slot) }
  }

  /// An earlier life's hold of `slot` is an open one from now on; nil: there is none.
  func adopt(_ hold: SlotHolds.Hold, in slot: Int32, at now: Timestamp) -> SlotHolds.Hold? {
    shards[Int(slot) & Self.mask].slots.withLock { slots in
      guard slots.places[ShardSlots.place(of: slot)].state.holds != Slot.none else { return nil }
      return slots.updateHolds(slot, isNoted: notesHolds) { _, holds in
        holds.adopt(hold, at: now, isNoted: notesHolds)
      }
    }
  }

  /// Takes over what an earlier life kept back in `slot`.
  func inherit(_ sums: [HeldSum], in slot: Int32) {
    shards[Int(slot) & Self.mask].slots.withLock { slots in
      slots.updateHolds(slot, isNoted: notesHolds) { _, holds in
        for sum in sums { holds.inherit(sum) }
      }
    }
  }

  /// Takes out what has ended of it.
  func dropEnded(in slot: Int32, at now: Timestamp) {
    let less = shards[Int(slot) & Self.mask].slots.withLock { slots -> Lessening? in
      // By then a settle may have taken all of it, and the slot may be another budget's.
      guard slots.places[ShardSlots.place(of: slot)].state.holds != Slot.none else { return nil }
      return slots.changeOwn(slot, isNoted: notesHolds) { state, holds in
        if holds.dropEnded(at: now) { holds.tighten(beside: state.spend + state.pending) }
      }
    }
    if let less { carryOn(less, of: slot) }
  }

  /// The budget's parts at one instant.
  func use(of slot: Int32, at now: Timestamp) -> BudgetUse {
    shards[Int(slot) & Self.mask].slots.withLock { $0.use(of: slot, at: now) }
  }

  /// Changes what the fleet says of `slot`, after a look at the budget's parts at the same instant.
  func changeClaims(
    of slot: Int32, at now: Timestamp, _ change: (BudgetUse, inout SlotClaims) -> Void
  ) {
    shards[Int(slot) & Self.mask].slots.withLock { slots in
      let use = slots.use(of: slot, at: now)
      slots.updateHolds(slot, isNoted: false) { _, holds in change(use, &holds.claims) }
    }
  }

  /// The slots that are in use at `now`, and their lives. The cost goes by how many have holds or
  /// ceilings, and not by how many budgets there are.
  func slotsInUse(at now: Timestamp) -> [(slot: Int32, life: UInt32)] {
    var used: [(slot: Int32, life: UInt32)] = []
    for shard in 0..<Self.count {
      shards[shard].slots.withLock { slots in
        for place in slots.holds.owners.indices {
          let slot = slots.holds.owners[place]
          guard slot != Slot.none, slots.isInUse(slot, holdsAt: Int32(place), at: now) else {
            continue
          }
          used.append((slot, slots.life(of: slot)))
        }
      }
    }
    return used
  }

  /// Calls `body`, under each shard's lock, with the slots whose sums have changed since they were
  /// taken, `most` at most, their states and sums.
  func takeChanged(atMost most: Int, _ body: (Int32, SlotState, [HeldSum]) -> Void) {
    var left = most
    for shard in 0..<Self.count where left > 0 {
      shards[shard].slots.withLock { slots in
        while left > 0, let slot = slots.holds.changed.popLast() {
          left -= 1
          let state = slots.places[ShardSlots.place(of: slot)].state
          slots.holds[state.holds].isChanged = false
          body(slot, state, slots.holds[state.holds].allSums)
          slots.dropHoldsIfEmpty(slot)
        }
      }
    }
  }
}

extension ShardSlots {
  /// Looks at the rooms from `start` on that are of this shard, and gives the first behind them; nil
  /// where a slot is another budget's by now.
  fileprivate func look(at rooms: inout [SlotRoom], from start: Int, at now: Timestamp) -> Int? {
    var rooms = rooms.mutableSpan
    let shard = rooms[start].slot & Int32(BudgetShards.mask)
    var end = start
    while end < rooms.count, rooms[end].slot & Int32(BudgetShards.mask) == shard {
      guard look(at: &rooms[end], at: now) else { return nil }
      end += 1
    }
    return end
  }

  /// Puts the budget as it stands into `room`; false where its slot is another budget's.
  private func look(at room: inout SlotRoom, at now: Timestamp) -> Bool {
    // Lent, not copied: a copy would count the references of the window's rule.
    let states = places.span
    let place = Self.place(of: room.slot)
    guard room.life == 0 || states[place].state.life == room.life,
      states[place].state.successor == Slot.none
    else { return false }
    room.compared = states[place].state.committedAndPending(at: now)
    room.withheld = states[place].state.withheld(at: now)
    room.own = states[place].state.spend(at: now) + states[place].state.pending
    room.resetsAt = states[place].state.resetsAt(at: now)
    room.windowStart = states[place].state.startedAt(at: now)
    room.home = states[place].state.home
    let index = states[place].state.holds
    if index != Slot.none { holds.look(at: index, into: &room) }
    return true
  }

  /// Whether the budget of `slot` has room for `reserved` under `limit` at every instant until its state
  /// changes. False too where the fleet has given it a ceiling, or it goes on in another slot.
  fileprivate func hasRoom(
    for reserved: ReservedAmount, in slot: Int32, under limit: PicoUSD
  ) -> Bool {
    let states = places.span
    let place = Self.place(of: slot)
    guard states[place].state.successor == Slot.none else { return false }
    let spent = states[place].state.mostCompared
    guard spent < limit,
      let kept = holds.kept(at: states[place].state.holds, adding: reserved.variance)
    else { return false }
    return spent + kept + reserved.amount <= limit
  }

  /// How often the slot has been handed out.
  fileprivate func life(of slot: Int32) -> UInt32 {
    places.span[Self.place(of: slot)].state.life
  }

  fileprivate func isInUse(_ slot: Int32, holdsAt place: Int32, at now: Timestamp) -> Bool {
    let states = places.span
    let index = Self.place(of: slot)
    if holds.hasCeiling(at: place), states[index].state.isOpen(at: now) { return true }
    guard holds.isInUse(at: place) else { return false }
    // Of names' budgets nobody has to hear of little.
    guard states[index].state.home != SlotState.noHome else { return true }
    return !holds.isWithinAllowance(
      at: place, spent: states[index].state.committedAndPending(at: now))
  }

  /// `limit`: what the budget is noted to have; nil: what was noted before.
  fileprivate mutating func add(
    _ hold: SlotHolds.Hold, to slot: Int32, limit: PicoUSD?, isNoted: Bool
  ) {
    updateHolds(slot, isNoted: isNoted) { _, holds in
      holds.add(hold, isNoted: isNoted)
      if let limit { holds.limit = limit }
    }
  }

  /// Changes what is kept back of `slot` for its own reservations. Nil, unless its budget goes on in
  /// another slot, which is to hear of it.
  @inline(__always)
  fileprivate mutating func changeOwn(
    _ slot: Int32, isNoted: Bool, _ change: (inout SlotState, inout SlotHolds) -> Void
  ) -> BudgetShards.Lessening? {
    updateHolds(slot, isNoted: isNoted) { state, holds in
      guard state.successor != Slot.none else {
        change(&state, &holds)
        return nil
      }
      let before = holds.own
      change(&state, &holds)
      guard before != holds.own else { return nil }
      return BudgetShards.Lessening(amount: before - holds.own, successor: state.successor)
    }
  }

  fileprivate func use(of slot: Int32, at now: Timestamp) -> BudgetUse {
    let state = places[Self.place(of: slot)].state
    var use = BudgetUse(
      spend: state.spend(at: now), others: state.others(at: now),
      withheld: state.withheld(at: now), pending: state.pending)
    use.windowStart = state.startedAt(at: now)
    guard state.holds != Slot.none else { return use }
    let holds = holds[state.holds]
    use.held = holds.held + holds.carried.sum
    use.cushion = holds.cushion
    use.claims = holds.claims
    use.openReservations = Int(holds.count)
    use.lastEndSeconds = holds.lastEndSeconds
    return use
  }
}

extension SlotHolds.Hold {
  init(_ reserved: ReservedAmount, until: Timestamp) {
    let seconds = HeldSum.seconds(from: until)
    self.init(
      amount: reserved.amount, variance: reserved.variance, untilSeconds: seconds,
      endsSeconds: seconds)
  }
}

/// The parts of one budget on this node, at one instant.
public struct BudgetUse: Sendable {
  /// Committed in the open window.
  public var spend: PicoUSD
  /// The same of others, as far as this node has heard.
  public var others: PicoUSD
  /// Set aside by an outage policy.
  public var withheld: PicoUSD
  /// Queued, and not committed yet.
  public var pending: PicoUSD
  /// Kept back by reservations, those of earlier lives too.
  public var held = PicoUSD.zero
  /// The sum that their costs may come to beyond that.
  public var cushion = PicoUSD.zero
  /// The fleet's word on the budget.
  public var claims = SlotClaims()
  /// How many reservations of this life are open there.
  public var openReservations = 0
  /// When the open window began; nil: none is open.
  public var windowStart: Timestamp?
  /// The limit that reservations in a name's budget are denied by; nil: none is, or it is another budget's.
  public var limit: PicoUSD?
  /// When the last of them ends, in seconds since 1970, where their sums are written down; else the
  /// smallest number.
  public var lastEndSeconds = Int64.min

  /// The sum that the node needs beyond its committed spend.
  public var use: PicoUSD { pending + held + cushion }
}
