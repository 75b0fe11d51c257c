import BudgetModel

/// The decisions on a batch before its commit. Buffers are reused from batch to batch.
struct BatchPlan {
  /// The batch's records, by their places in what was taken, and what became of each so far.
  var places: [Int32] = []
  var outcomes: [LedgerOutcome] = []
  /// Indices into `places` of the records to commit.
  var leaders: [Int] = []
  /// Indices into `places` of retries of records of this same batch.
  var followers: [Int] = []
  /// The slots charged, each once, their windows, and where the balances are.
  var slots: [Int32] = []
  var windows: [BudgetWindow] = []
  var labels: [SlotLabel] = []
  /// For each of `slots`: what the records to commit charge to it, zero or more; nil where only a
  /// record that was refused names it.
  private(set) var sums: [PicoUSD?] = []
  /// Keys taken whose time lies far ahead.
  private(set) var keysAhead = 0
  private var settled = KeysByShard()
  /// For each slot ever seen: its position in `slots`, valid where that one holds the slot.
  private(set) var positions = Pieces<Int32>()

  mutating func begin() {
    places.removeAll(keepingCapacity: true)
    outcomes.removeAll(keepingCapacity: true)
    leaders.removeAll(keepingCapacity: true)
    followers.removeAll(keepingCapacity: true)
    slots.removeAll(keepingCapacity: true)
    windows.removeAll(keepingCapacity: true)
    labels.removeAll(keepingCapacity: true)
    keysAhead = 0
  }

  /// Judges each record of `range` by its key; the places of those that must wait for the next
  /// batch.
  mutating func decide(
    _ records: [QueuedRecord], _ range: Range<Int>, by keys: borrowing KeyIndex,
    _ horizon: KeyHorizon, at now: Timestamp
  ) -> [Int] {
    var putBack: [Int] = []
    for place in range {
      let (key, isJudged) = (records[place].digest, records[place].isJudged)
      let ahead = place + KeyIndex.ahead
      if ahead < range.upperBound, !isJudged { keys.fetch(records[ahead].digest) }
      var outcome = LedgerOutcome.recorded
      if !isJudged {
        switch keys.claim(key, records[place].fingerprint) {
        case .claimed:
          if let refusal = horizon.refusal(keyMadeAt: records[place].keyMadeAt, at: now) {
            keys.remove(key)
            outcome = refusal
          } else if horizon.isAhead(keyMadeAt: records[place].keyMadeAt, at: now) {
            keysAhead += 1
          }
        case .duplicate: outcome = .duplicate
        case .mismatch: outcome = .mismatch
        case .inFlight:
          // Its first try is in this batch, or was accepted since and comes with the next.
          guard hasLeader(of: key, records, range) else {
            putBack.append(place)
            continue
          }
          followers.append(places.count)
          outcome = .duplicate
        }
      }
      if outcome == .recorded { leaders.append(places.count) }
      places.append(Int32(place))
      outcomes.append(outcome)
    }
    return putBack
  }

  private func hasLeader(
    of digest: UInt128, _ records: [QueuedRecord], _ range: Range<Int>
  ) -> Bool {
    if leaders.contains(where: { records[Int(places[$0])].digest == digest }) { return true }
    return range.contains { records[$0].isClaimed && records[$0].digest == digest }
  }

  /// Calls `body` with each record that is to be committed.
  func forEachLeader(in records: [QueuedRecord], _ body: (QueuedRecord) -> Void) {
    for index in leaders { body(records[Int(places[index])]) }
  }

  /// The keys of the records to commit are on disk; how many there are.
  mutating func settleKeys(_ records: [QueuedRecord], in keys: borrowing KeyIndex) -> Int {
    settled.begin()
    for index in leaders {
      let place = Int(places[index])
      if records[place].hasKey { settled.add(records[place].digest) }
    }
    settled.arrange()
    keys.settle(settled)
    return settled.count
  }

  /// Finds the slots that the records to commit are charged to, each once, in `slots`.
  mutating func collectSlots(of records: [QueuedRecord], _ recordSlots: [Int32]) {
    for index in leaders {
      for position in records[Int(places[index])].slotRange { add(slot: recordSlots[position]) }
    }
  }

  /// Sums up the charges of the records to commit, for each of `slots`.
  mutating func sumUp(_ records: [QueuedRecord], _ recordSlots: [Int32]) {
    sums.removeAll(keepingCapacity: true)
    sums.append(contentsOf: repeatElement(nil, count: slots.count))
    for index in leaders {
      let record = records[Int(places[index])]
      for position in record.slotRange {
        let place = Int(positions[Int(recordSlots[position])])
        sums[place] = (sums[place] ?? .zero) + record.amount
      }
    }
  }

  /// Refuses records that would take a window's total out of the range that its columns hold.
  /// `fits` tells whether a balance, by its place, takes an amount.
  mutating func refuseTooLarge(
    _ records: [QueuedRecord], _ recordSlots: [Int32], _ keys: borrowing KeyIndex,
    fits: (Int, PicoUSD) -> Bool
  ) {
    var sum = PicoUSD.zero
    for index in leaders { sum += records[Int(places[index])].amount }
    // Nearly always: even all of the batch together fits everywhere.
    if labels.allSatisfy({ fits($0.place, sum) }) { return }
    let candidates = leaders
    leaders.removeAll(keepingCapacity: true)
    for index in candidates {
      let record = records[Int(places[index])]
      let isTaken = record.slotRange.allSatisfy {
        fits(labels[position(of: recordSlots[$0])].place, sum)
      }
      if isTaken {
        leaders.append(index)
        continue
      }
      outcomes[index] = .notRecorded(.totalTooLarge)
      guard record.hasKey else { continue }
      keys.remove(record.digest)
      for retry in followers where records[Int(places[retry])].digest == record.digest {
        outcomes[retry] = .notRecorded(.totalTooLarge)
      }
    }
    let outcomes = outcomes
    followers.removeAll { outcomes[$0] != .duplicate }
  }

  func isNothingToStore(_ records: [QueuedRecord]) -> Bool {
    leaders.allSatisfy { index in
      let record = records[Int(places[index])]
      return !record.hasKey && record.slotCount == 0
    }
  }

  /// The keys of the records to commit.
  func leaderKeys(_ records: [QueuedRecord]) -> [UInt128] {
    leaders.compactMap { index in
      let record = records[Int(places[index])]
      return record.hasKey ? record.digest : nil
    }
  }

  /// Sets the outcome of the records to commit, and of retries of them.
  mutating func conclude(_ outcome: LedgerOutcome) {
    for index in leaders { outcomes[index] = outcome }
    for index in followers { outcomes[index] = outcome }
  }

  /// Adds a slot, unless this batch has it.
  private mutating func add(slot: Int32) {
    let index = Int(slot)
    positions.fill(to: index + 1, with: 0)
    let position = Int(positions[index])
    if position < slots.count, slots[position] == slot { return }
    positions[index] = Int32(slots.count)
    slots.append(slot)
  }

  func position(of slot: Int32) -> Int { Int(positions[Int(slot)]) }
}

/// The window that a slot's charges are counted in, and where its balance is.
struct SlotLabel {
  var start: Int64
  var end: Int64
  var place: Int
  var budget: Int64
}
