import BudgetModel

/// What is decided of a batch before its commit. Buffers are reused from batch to batch.
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
  /// For each slot ever seen: its position in `slots`, valid where `stamps` has this batch's number.
  private(set) var positions: [Int32] = []
  private var stamps: [UInt32] = []
  private var stamp: UInt32 = 0

  mutating func begin() {
    places.removeAll(keepingCapacity: true)
    outcomes.removeAll(keepingCapacity: true)
    leaders.removeAll(keepingCapacity: true)
    followers.removeAll(keepingCapacity: true)
    slots.removeAll(keepingCapacity: true)
    windows.removeAll(keepingCapacity: true)
    labels.removeAll(keepingCapacity: true)
    stamp &+= 1
    if stamp == 0 {
      for index in stamps.indices { stamps[index] = 0 }
      stamp = 1
    }
  }

  /// Adds a slot, unless this batch has it.
  mutating func add(slot: Int32) {
    let index = Int(slot)
    if index >= stamps.count {
      let missing = index + 1 - stamps.count
      stamps.append(contentsOf: repeatElement(0, count: missing))
      positions.append(contentsOf: repeatElement(0, count: missing))
    }
    guard stamps[index] != stamp else { return }
    stamps[index] = stamp
    positions[index] = Int32(slots.count)
    slots.append(slot)
  }

  func position(of slot: Int32) -> Int { Int(positions[Int(slot)]) }
}
