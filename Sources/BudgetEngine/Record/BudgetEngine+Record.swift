public import BudgetModel

/// The budgets that one cost is charged to, each once. Reused from request to request.
public struct ChargedSlots: Sendable {
  /// The slots, the provider's first, then the deployment's, then the tags'.
  public private(set) var slots: [Int32] = []
  /// Whether the provider is another than the model list's for the deployment.
  public private(set) var contradictsModelList = false

  /// Makes an empty list.
  public init() {}

  /// Empties the list and keeps its storage.
  public mutating func begin() {
    slots.removeAll(keepingCapacity: true)
    contradictsModelList = false
  }

  /// Adds the candidate's provider and deployment, where they have budgets.
  public mutating func add(_ candidate: CandidateSlots) {
    if candidate.provider != Slot.none { slots.append(candidate.provider) }
    if candidate.deployment != Slot.none { slots.append(candidate.deployment) }
    contradictsModelList = candidate.contradictsModelList
  }

  /// Adds a tag's budget, unless it is there: a repeated tag is charged once.
  public mutating func addTag(slot: Int32) {
    if !slots.contains(slot) { slots.append(slot) }
  }
}

extension BudgetEngine {
  /// Charges `amount` in full to each budget, in the window open at `now`; where none is open, one
  /// opens, also for an amount of zero. Precondition: `amount` is not negative.
  public func record(_ amount: PicoUSD, to charged: ChargedSlots, at now: Timestamp) {
    precondition(amount >= .zero, "a negative cost cannot be recorded")
    for slot in charged.slots { charge(amount, to: slot, at: now) }
  }

  /// Charges the slot, or the one in which its budget goes on.
  private func charge(_ amount: PicoUSD, to slot: Int32, at now: Timestamp) {
    var next = shards.update(slot) { $0.charge(amount, at: now) }
    while next != Slot.none { next = shards.update(next) { $0.charge(amount, at: now) } }
  }

  /// Counts `amount` as pending in each budget, until `commit` or `abandon` ends it: filtering sees
  /// it at once, reports do not. Precondition: `amount` is not negative.
  public func hold(_ amount: PicoUSD, for charged: ChargedSlots) {
    precondition(amount >= .zero, "a negative cost cannot be held")
    for slot in charged.slots { shards.update(slot) { $0.hold(amount) } }
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
        state.release(amount)
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
        state.release(sum, records: records)
        return successor
      }
      if successor != Slot.none { charge(sum, to: successor, at: now) }
    }
  }

  /// Takes a pending `amount` out again: it was definitely not recorded.
  public func abandon(_ amount: PicoUSD, of charged: ChargedSlots) {
    abandon(amount, of: charged.slots[...])
  }

  /// As `abandon`, of slots that a queue has kept.
  public func abandon(_ amount: PicoUSD, of slots: ArraySlice<Int32>) {
    for slot in slots { shards.update(slot) { $0.release(amount) } }
  }
}
