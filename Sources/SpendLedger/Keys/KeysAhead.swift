/// Keys whose time lay ahead when they were committed, by no more than a caller's clock may be.
///
/// The bound of keys may forget the row of such a key before the horizon has reached the key's
/// time, and a retry would be taken for new. Raising the horizon so far would refuse keys that are
/// made now. So the key itself stays in the index, without its row, until the horizon has passed
/// it.
struct KeysAhead {
  private struct Entry {
    var digest: UInt128
    var madeAt: Int64
    var committedAt: Int64
    /// The batch that its row is of.
    var batch: Int64
  }

  /// In the order of their batches, from `first` on; those before are gone.
  private var entries: [Entry] = []
  private var first = 0
  private var pruningCount = Self.leastPruning
  private var lastPruning: Int64 = 0
  /// Those whose rows are forgotten.
  private var held: [Entry] = []
  private var lastRelease: Int64?
  /// As many are noted at most; past it a key ahead is one like any other.
  private let bound: Int

  private static let leastPruning = 1_024
  /// A search for room takes its time, so it is made so often at most: milliseconds.
  private static let pruningInterval: UInt64 = 1_000
  /// A key that is ahead by less is so because clocks are read one after the other.
  static let leastMilliseconds: Int64 = 10
  /// A claim is judged by a horizon that was read a moment before.
  static let slackMilliseconds: Int64 = 100
  private static let releaseInterval: Int64 = 1_000

  init(keyBound: Int) { bound = max(65_536, keyBound / 16) }

  var heldCount: Int { held.count }
  var notedCount: Int { entries.count - first }

  static func isNoted(madeAt: Int64, at now: Int64) -> Bool {
    madeAt > now + leastMilliseconds && madeAt <= now + KeyHorizon.skewMilliseconds
  }

  /// A key of a batch that is on disk, or may be. `jumped` is how far fleet time has jumped lately.
  mutating func note(
    _ digest: UInt128, madeAt: Int64, batch: Int64, at time: (now: Int64, jumped: Int64)
  ) {
    let isFull = notedCount + held.count >= bound
    let isPruningDue =
      isFull
      ? (time.now - lastPruning).magnitude >= Self.pruningInterval : notedCount >= pruningCount
    if isPruningDue { prune(at: time) }
    guard notedCount + held.count < bound else { return }
    entries.append(
      Entry(digest: digest, madeAt: madeAt, committedAt: time.now, batch: batch))
  }

  /// Lets go of those that the horizon would have passed if their rows were forgotten now.
  private mutating func prune(at time: (now: Int64, jumped: Int64)) {
    lastPruning = time.now
    entries.removeFirst(first)
    first = 0
    entries.removeAll { entry in
      let age = time.now - entry.committedAt - time.jumped
      return age / 4 > entry.madeAt - entry.committedAt + Self.slackMilliseconds
    }
    pruningCount = max(Self.leastPruning, 2 * entries.count)
  }

  /// Rows through `batch` are forgotten: which keys stay.
  mutating func hold(
    through batch: Int64, horizon: Int64, jumped: Int64
  ) -> Set<UInt128> {
    var staying: Set<UInt128> = []
    while first < entries.count, entries[first].batch <= batch {
      let entry = entries[first]
      first += 1
      guard entry.madeAt + jumped + Self.slackMilliseconds >= horizon else { continue }
      held.append(entry)
      staying.insert(entry.digest)
    }
    if first > entries.count / 2 {
      entries.removeFirst(first)
      first = 0
    }
    return staying
  }

  /// The batch was not recorded after all.
  mutating func drop(batch: Int64) {
    entries.removeFirst(first)
    first = 0
    entries.removeAll { $0.batch == batch }
  }

  /// Whether it is time to release some.
  func isReleaseDue(at now: Int64) -> Bool {
    guard !held.isEmpty else { return false }
    guard let lastRelease else { return true }
    return now - lastRelease >= Self.releaseInterval || now < lastRelease
  }

  /// Keys that the horizon has passed: the index need not have them any more.
  mutating func release(before horizon: Int64, jumped: Int64, at now: Int64) -> [UInt128] {
    lastRelease = now
    var released: [UInt128] = []
    held.removeAll { entry in
      guard entry.madeAt + jumped + Self.slackMilliseconds < horizon else { return false }
      released.append(entry.digest)
      return true
    }
    return released
  }
}
