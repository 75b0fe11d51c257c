import BudgetModel

/// What one commit's row says, as read back.
struct BatchContents: Equatable {
  /// A window that records of the batch were charged to.
  struct Window: Equatable {
    var budget: Int64
    var start: Int64
    var end: Int64
  }

  /// One record: its key, if it had one, and which of the windows it was charged to.
  struct Record: Equatable {
    var digest: UInt128?
    var fingerprint: UInt128
    var amount: PicoUSD
    var windows: [Int]
  }

  var id: Int64
  var origin: Int64
  /// The fleet time of the commit.
  var time: Timestamp
  var windows: [Window]
  var records: [Record]
}
