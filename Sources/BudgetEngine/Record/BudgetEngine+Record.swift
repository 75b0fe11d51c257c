public import BudgetModel

extension BudgetEngine {
  /// Charges `amount` in full to each budget, in the window open at `now`; where none is open, one
  /// opens, also for an amount of zero. Precondition: `amount` is not negative.
  ///
  /// False, and nothing is charged, where `addPending` says so.
  @discardableResult
  public func record(_ amount: PicoUSD, to charged: ChargedSlots, at now: Timestamp) -> Bool {
    precondition(amount >= .zero, "a negative cost cannot be recorded")
    if !charged.lives.isEmpty || charged.isStale {
      guard addPending(amount, to: charged) else { return false }
      commit(amount, of: charged, at: now)
      return true
    }
    for slot in charged.slots { charge(amount, to: slot, at: now) }
    return true
  }

  /// Charges the slot, or the one in which its budget goes on.
  private func charge(_ amount: PicoUSD, to slot: Int32, at now: Timestamp) {
    var next = shards.update(slot) { $0.charge(amount, at: now) }
    while next != Slot.none { next = shards.update(next) { $0.charge(amount, at: now) } }
  }

  /// Counts `amount` as pending in each budget, until `commit` or `abandon` ends it: filtering sees
  /// it at once, reports do not. Precondition: `amount` is not negative.
  ///
  /// False, and nothing is pending, where a dynamic budget has been lost since it was looked up: the
  /// names are to be looked up anew. From then on it stays, since a record waits for it.
  @discardableResult
  public func addPending(_ amount: PicoUSD, to charged: borrowing ChargedSlots) -> Bool {
    precondition(amount >= .zero, "a negative cost cannot be pending")
    if charged.isStale { return false }
    guard charged.lives.isEmpty else { return addPendingToLiving(amount, charged) }
    for index in charged.slots.indices {
      shards.update(charged.slots[index]) { $0.addPending(amount) }
    }
    return true
  }

  private func addPendingToLiving(_ amount: PicoUSD, _ charged: borrowing ChargedSlots) -> Bool {
    for (index, slot) in charged.slots.enumerated() {
      let life = charged.life(of: slot)
      let isAlive = shards.update(slot) { state in
        guard life == 0 || state.life == life else { return false }
        state.addPending(amount)
        return true
      }
      if isAlive { continue }
      abandon(amount, of: charged.slots[..<index])
      return false
    }
    return true
  }

  /// Turns a pending `amount` into spend of the window open at `now`. At no instant does filtering
  /// see the amount twice or not at all.
  public func commit(_ amount: PicoUSD, of charged: ChargedSlots, at now: Timestamp) {
    commit(amount, of: charged.slots[...], at: now)
  }

  /// As `commit`, of slots that a queue has kept.
  public func commit(_ amount: PicoUSD, of slots: ArraySlice<Int32>, at now: Timestamp) {
    for slot in slots {
      let successor = shards.update(slot) { state in
        let successor = state.charge(amount, at: now)
        state.dropPending(amount)
        return successor
      }
      if successor != Slot.none { charge(amount, to: successor, at: now) }
    }
  }

  /// As `commit` of every amount that was added to `sums`: each slot is charged once.
  public func commit(_ sums: borrowing ChargeSums, at now: Timestamp) {
    for index in sums.slots.indices {
      let (sum, records) = (sums.amounts[index], sums.records[index])
      let successor = shards.update(sums.slots[index]) { state in
        let successor = state.charge(sum, at: now)
        state.dropPending(sum, records: records)
        return successor
      }
      if successor != Slot.none { charge(sum, to: successor, at: now) }
    }
  }

  /// Takes a pending `amount` out again: it was definitely not recorded.
  public func abandon(_ amount: PicoUSD, of charged: borrowing ChargedSlots) {
    abandon(amount, of: charged.slots[...])
  }

  /// As `abandon`, of slots that a queue has kept.
  public func abandon(_ amount: PicoUSD, of slots: ArraySlice<Int32>) {
    for slot in slots { shards.update(slot) { $0.dropPending(amount) } }
  }
}

/// The sums that the records of one batch charge to each slot, so that a slot is charged once
/// however many of them name it. Reused from batch to batch. Memory: 4 bytes for every slot there
/// is.
public struct ChargeSums: Sendable {
  /// The slots charged, each once, in the order in which they were first added.
  private(set) var slots: [Int32] = []
  /// The sum that each of `slots` is charged.
  private(set) var amounts: [PicoUSD] = []
  /// How many records charge each of `slots`.
  private(set) var records: [UInt32] = []
  /// A slot to its position in `slots`; valid where that position holds the slot.
  private var positions: [Int32] = []

  /// Makes an empty list.
  public init() {}

  /// Empties the list and keeps its storage.
  public mutating func begin() {
    slots.removeAll(keepingCapacity: true)
    amounts.removeAll(keepingCapacity: true)
    records.removeAll(keepingCapacity: true)
  }

  /// Adds `amount`, which may be zero, to what each of `charged` is charged.
  public mutating func add(_ amount: PicoUSD, to charged: Span<Int32>) {
    for place in charged.indices {
      let slot = charged[place]
      let index = Int(slot)
      if index >= positions.count {
        positions.append(contentsOf: repeatElement(0, count: index + 1 - positions.count))
      }
      let position = Int(positions[index])
      if position < slots.count, slots[position] == slot {
        amounts[position] += amount
        records[position] += 1
      } else {
        positions[index] = Int32(slots.count)
        slots.append(slot)
        amounts.append(amount)
        records.append(1)
      }
    }
  }
}
