import BudgetModel

/// One commit's row, as read back.
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

/// The keys of a batch, as read back. Reused from batch to batch.
struct BatchKeys {
  private(set) var digests: [UInt128] = []
  private(set) var fingerprints: [UInt128] = []

  var count: Int { digests.count }

  mutating func removeAll() {
    digests.removeAll(keepingCapacity: true)
    fingerprints.removeAll(keepingCapacity: true)
  }

  mutating func add(_ digest: UInt128, _ fingerprint: UInt128) {
    digests.append(digest)
    fingerprints.append(fingerprint)
  }
}
