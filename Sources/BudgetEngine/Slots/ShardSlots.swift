import BudgetModel

/// The states of one shard's slots, and what reservations keep back there. Behind the shard's lock.
struct ShardSlots: Sendable {
  /// A slot's state, and the block that its gate is in.
  struct Place {
    var state: SlotState
    /// The gate's word, so that the block is touched only when that changes.
    var gate: UInt64 = 0
    let gates: SlotGates

    /// Changes the state in place, and the gate with it. Read through the array instead, the state
    /// would be copied with its references once more for each change.
    @inline(__always)
    mutating func update<Result>(
      gateAt index: Int, keeping kept: PicoUSD, _ change: (inout SlotState) -> Result
    ) -> Result {
      let result = change(&state)
      let word = state.gate(keeping: kept)
      if word != gate {
        gate = word
        gates.set(index, word)
      }
      return result
    }
  }

  var places: [Place] = []
  var holds = HoldTable()

  private static let shift = BudgetShards.count.trailingZeroBitCount

  /// The place of `slot` in its shard.
  @inline(__always)
  static func place(of slot: Int32) -> Int { Int(slot) >> shift }

  mutating func append(slot: Int32, _ state: SlotState, _ gates: SlotGates) {
    precondition(places.count == Self.place(of: slot), "slots are handed out in order")
    if places.count == places.capacity {
      // By an eighth: doubled, states could take twice the memory they need.
      places.reserveCapacity(places.count + places.count / 8 + 8)
    }
    places.append(Place(state: state, gates: gates))
  }

  /// Changes the state of `slot`, and its gate with it. What is kept back stays.
  @inline(__always)
  mutating func update<Result>(
    _ slot: Int32, _ change: (inout SlotState) -> Result
  ) -> Result {
    let place = Self.place(of: slot)
    let kept = holds.kept(at: places[place].state.holds)
    return places[place].update(
      gateAt: Int(slot) & (SlotGates.count - 1), keeping: kept, change)
  }

  func standing(of slot: Int32, at now: Timestamp) -> SlotStanding {
    // Lent, not copied: a copy would count the references of the window's rule.
    let states = places.span
    let place = Self.place(of: slot)
    let kept = holds.kept(at: states[place].state.holds)
    return SlotStanding(
      spend: states[place].state.committedAndPending(at: now) + kept,
      withheld: states[place].state.withheld(at: now), reserved: kept,
      resetsAt: states[place].state.resetsAt(at: now), home: states[place].state.home)
  }

  /// Changes what is kept back of `slot`, and its state and gate with it. `isNoted`: somebody writes
  /// the sums down, and they change.
  @inline(__always)
  mutating func updateHolds<Result>(
    _ slot: Int32, isNoted: Bool, _ change: (inout SlotState, inout SlotHolds) -> Result
  ) -> Result {
    Self.updateHolds((slot, isNoted), of: &places, in: &holds, change)
  }

  private static func updateHolds<Result>(
    _ target: (slot: Int32, isNoted: Bool), of places: inout [Place], in holds: inout HoldTable,
    _ change: (inout SlotState, inout SlotHolds) -> Result
  ) -> Result {
    // The states are made sure of once, and not at each use.
    var states = places.mutableSpan
    let (slot, isNoted) = target
    let place = Self.place(of: slot)
    var index = states[place].state.holds
    if index == Slot.none {
      index = holds.add(for: slot)
      states[place].state.holds = index
    }
    let (result, kept) = holds.update(index, of: slot, isNoted: isNoted) { holds in
      change(&states[place].state, &holds)
    }
    // The slot does without a place in the table as soon as it is empty.
    if kept == nil { states[place].state.holds = Slot.none }
    states[place].update(
      gateAt: Int(slot) & (SlotGates.count - 1), keeping: kept ?? .zero
    ) { _ in }
    return result
  }

  /// The slot does without a place in the table as soon as it is empty.
  mutating func dropHoldsIfEmpty(_ slot: Int32) {
    let place = Self.place(of: slot)
    let index = places[place].state.holds
    guard index != Slot.none, holds.removeIfEmpty(index) else { return }
    places[place].state.holds = Slot.none
  }
}

/// One budget as filtering sees it.
struct SlotStanding: Sendable {
  /// The amount compared with the limit.
  var spend: PicoUSD
  /// How much of that is set aside.
  var withheld: PicoUSD
  /// How much of it reservations keep back.
  var reserved: PicoUSD
  /// When the open window ends.
  var resetsAt: Timestamp?
  /// The row of a dynamic budget.
  var home: UInt32
}
