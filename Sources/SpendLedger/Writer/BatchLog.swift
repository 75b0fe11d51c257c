import BudgetModel

/// Which batches have their rows: the newest, the oldest that is kept, and how far balances hold
/// them. Decides what a transaction may forget and has to.
struct BatchLog {
  /// A slice of forgetting that nothing forces takes at most so long, in nanoseconds.
  private static let sliceDuration: Int64 = 4_000_000
  /// So many keys that are old enough a commit takes along, beyond twice those that it adds.
  private static let endedKeysBound = 256

  let keyBound: Int
  let keyRetention: Int64
  /// The last batch that was committed, the first whose row is kept, and the last one that all
  /// balances hold.
  private(set) var last: Int64 = 0
  private(set) var first: Int64 = 1
  private(set) var foldedThrough: Int64 = 0
  /// When the first batch whose row is kept was committed; nil: not read yet.
  private(set) var firstTime: Timestamp?
  /// Keys on disk.
  private(set) var keyCount = 0
  /// The rows that a transaction under way, or in doubt, forgets.
  var forgetting: Forgetting?

  init(_ settings: LedgerSettings) {
    keyBound = settings.keyBound
    keyRetention = settings.keyRetention.milliseconds
  }

  /// The database was read: all batches up to `last` are folded.
  mutating func begin(last: Int64, first: Int64?, keyCount: Int) {
    (self.last, foldedThrough, self.keyCount) = (last, last, keyCount)
    self.first = first ?? last + 1
    firstTime = nil
  }

  /// The next batch is on disk.
  mutating func committed(_ id: Int64) { last = id }

  mutating func added(keys: Int) { keyCount += keys }

  mutating func folded(through id: Int64) { foldedThrough = id }

  /// Keys are forgotten from here on, so that the bound itself is seldom met: then a commit need
  /// not wait for many small rows to go.
  private var keyTarget: Int { keyBound - keyBound / 64 }

  /// Whether something is to be forgotten that no commit has taken along.
  var isForgettingDue: Bool {
    first <= foldedThrough && (firstTime == nil || keyCount > keyTarget)
  }

  /// Whether a commit that adds so many keys has to fold, since no row may go before that.
  func mustFold(adding added: Int) -> Bool { keyCount + added > keyBound && foldedThrough != last }

  /// How much the transaction that adds at most so many keys forgets: at least as many, once there
  /// are as many as may be. Nil, nearly always: nothing; that costs two comparisons.
  ///
  /// `foldedThrough`: how far balances go once that transaction is done; `jumped`: by how much
  /// fleet time has jumped lately.
  func measure(
    adding added: Int, foldedThrough: Int64, jumped: Int64,
    at time: (now: Timestamp, instant: Int64)
  ) -> Forgetting.Measure? {
    let kept = time.now.unixMilliseconds - keyRetention - jumped
    let wanted = keyCount + added - keyTarget
    if wanted <= 0, let firstTime, firstTime.unixMilliseconds >= kept { return nil }
    let measure = Forgetting.Measure(
      due: keyCount + added - keyBound, wanted: wanted, keptSince: kept,
      ended: added == 0 ? .max : 2 * added + Self.endedKeysBound,
      lastRow: min(foldedThrough, last), deadline: time.instant + Self.sliceDuration)
    return first <= measure.lastRow ? measure : nil
  }

  /// Nothing had to go: when the oldest row was committed.
  mutating func looked(_ chosen: borrowing Forgetting) { firstTime = chosen.next }

  /// Rows that were forgotten are gone from the disk.
  mutating func forgot(_ chosen: borrowing Forgetting) {
    first = chosen.rows.upperBound
    firstTime = chosen.next
    keyCount -= chosen.keys.count
  }
}
