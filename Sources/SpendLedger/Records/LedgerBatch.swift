public import BudgetModel

/// The records of one commit and what became of each.
public struct LedgerBatch: Sendable {
  /// The one clock reading of this batch: its windows were labelled with it.
  public let now: Timestamp
  private let records: [QueuedRecord]
  private let allSlots: [Int32]
  /// Which of the records are this batch's.
  private let places: [Int32]
  private var outcomes: [LedgerOutcome]

  init(
    now: Timestamp, records: [QueuedRecord], slots: [Int32], places: [Int32],
    outcomes: [LedgerOutcome]
  ) {
    precondition(outcomes.count == places.count, "an outcome for each record")
    self.now = now
    self.records = records
    allSlots = slots
    self.places = places
    self.outcomes = outcomes
  }

  /// How many records the batch has.
  public var count: Int { places.count }

  /// One record of a batch, but for its budgets.
  public struct Record {
    /// The cost.
    public let amount: PicoUSD
    /// The caller's own word for it.
    public let token: LedgerToken
    /// The caller's own word for the reservation that it settles; 0: none.
    public let settlement: UInt64
    /// Whether its key is the reservation's name.
    public let isKeyImplied: Bool
    /// The outcome.
    public let outcome: LedgerOutcome
  }

  /// Calls `body` with each record, by its index, and the budgets that it was handed over for, as
  /// slots.
  public func forEach(_ body: (Int, Record, Span<Int32>) -> Void) {
    let (records, slots, outcomes) = (records.span, allSlots.span, outcomes.span)
    for index in places.indices {
      let record = records[Int(places[index])]
      body(
        index,
        Record(
          amount: record.amount, token: record.token, settlement: record.settlement,
          isKeyImplied: record.isKeyImplied, outcome: outcomes[index]),
        slots.extracting(record.slotRange))
    }
  }

  /// The outcome of the record at `index`, which lies in `0..<count`.
  public func outcome(at index: Int) -> LedgerOutcome { outcomes[index] }

  /// The record's amount.
  public func amount(at index: Int) -> PicoUSD { records[Int(places[index])].amount }

  /// The word for the reservation that the record settles; 0: none.
  public func settlement(at index: Int) -> UInt64 { records[Int(places[index])].settlement }

  /// The record's token.
  public func token(at index: Int) -> LedgerToken { records[Int(places[index])].token }

  /// The budgets that the record was handed over for, as slots.
  public func slots(at index: Int) -> ArraySlice<Int32> {
    let record = records[Int(places[index])]
    return allSlots[Int(record.firstSlot)..<Int(record.firstSlot + record.slotCount)]
  }

  /// The same batch with the outcomes that the file tells: what was in doubt is recorded or not,
  /// and `followers`, retries of records of this same batch, are duplicates or not recorded either.
  func resolved(asRecorded: Bool, followers: [Int], refusal: LedgerRefusal) -> LedgerBatch {
    var batch = self
    for index in outcomes.indices where outcomes[index] == .unknown {
      batch.outcomes[index] = asRecorded ? .recorded : .notRecorded(refusal)
    }
    if asRecorded { for index in followers { batch.outcomes[index] = .duplicate } }
    return batch
  }
}
