import BudgetModel

/// The part that one transaction forgets: rows of batches, the oldest first, and the keys in them.
struct Forgetting {
  /// The rows, without the last one.
  var rows: Range<Int64>
  var keys = KeysByShard()
  /// When the newest of these rows was committed, where that is less long ago than keys are kept.
  var early: Timestamp?
  /// When the row after them was committed; nil: it was not read.
  var next: Timestamp?

  init(from first: Int64) { rows = first..<first }

  var isEmpty: Bool { rows.isEmpty }

  /// How many rows a transaction may have to forget, and may forget.
  struct Measure {
    /// Keys that must go, or there are more than may be.
    var due = 0
    /// Keys that had better go soon.
    var wanted = 0
    /// Keys of rows committed before this are not needed any more, Unix milliseconds.
    var keptSince: Int64
    /// How many of those go at once.
    var ended = Int.max
    /// The last row that may go: later ones have not been folded.
    var lastRow: Int64
    /// With nothing due, it ends at this instant of monotonic time.
    var deadline: Int64

    func allows(_ keyCount: Int, of time: Timestamp) -> Bool {
      if keyCount < due { return true }
      let isEnded = time.unixMilliseconds < keptSince && keyCount < ended
      guard keyCount < wanted || isEnded else { return false }
      return SystemCalls.monotonicNanoseconds() < deadline
    }
  }

  /// Takes in rows while the measure allows it.
  mutating func choose(
    by measure: Measure, _ row: (Int64) throws(SQLiteError) -> [UInt8]?
  ) throws {
    keys.begin()
    var read = BatchKeys()
    while rows.upperBound <= measure.lastRow, let payload = try row(rows.upperBound) {
      let time = try BatchReader.time(of: payload)
      guard measure.allows(keys.count, of: time) else {
        next = time
        break
      }
      _ = try BatchReader.head(of: payload, keys: &read)
      for digest in read.digests { keys.add(digest) }
      if time.unixMilliseconds >= measure.keptSince { early = time }
      rows = rows.lowerBound..<rows.upperBound + 1
    }
    keys.arrange()
  }

  func write(to store: LedgerStore) throws(SQLiteError) {
    guard let last = rows.last else { return }
    try store.statements.deleteBatches(through: last)
    if let early {
      try store.statements.setMeta(
        LedgerMeta.Name.forgottenThrough, "\(early.unixMilliseconds)")
    }
  }
}
