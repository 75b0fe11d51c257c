import BudgetModel
import Locks
import Synchronization

/// The reservations that are open, and those that ended lately: slabs behind short locks, so that
/// lanes seldom wait for each other.
///
/// Locks are taken in this order: a slab's, then those of the slots' shards, ascending. Whatever
/// happens to a reservation happens under its slab's lock: of a record that settles it, its release
/// and its end by time one wins.
final class Reservations: Sendable {
  struct Slab: ~Copyable {
    let slab = Locked(ReservationSlab())
    private let distance = InlineArray<8, UInt64>(repeating: 0)
  }

  static let slabCount = 64
  private static let slabBits: UInt64 = 6
  private static let placeBits: UInt64 = 26

  let slabs = InlineArray<64, Slab> { _ in Slab() }
  let settings: ReservationSettings
  private let sequence = Atomic<UInt64>(0)
  private let openCount = Atomic<Int>(0)
  private let deniedCount = Atomic<UInt64>(0)
  private let lateCount = Atomic<UInt64>(0)
  private let againCount = Atomic<UInt64>(0)
  private let elsewhereCount = Atomic<UInt64>(0)
  private let asking = Atomic<Bool>(false)
  /// Earlier lives' holds by their ends, the last one first: the slots, and how far the search for ends
  /// has to look.
  private let inherited = Locked<[InheritedEnd]>([])
  /// Called when a reservation is made and none was open before.
  let first = Hook<Void>()
  /// Which slab is searched next for those whose time is over.
  private let expiring = Locked(0)

  struct InheritedEnd: Sendable {
    var endsSeconds: Int64
    var slot: Int32
  }

  init(_ settings: ReservationSettings) {
    precondition(
      settings.openBound > 0 && settings.openBound < 1 << 30, "so many reservations have no places")
    self.settings = settings
  }

  /// How many are open. One atomic load.
  var open: Int { openCount.load(ordering: .relaxed) }

  /// Counts one more as open, and gives how many are then; nil: as many are as may be.
  func begin() -> Int? {
    let count = openCount.add(1, ordering: .relaxed).newValue
    if count <= settings.openBound { return count }
    openCount.subtract(1, ordering: .relaxed)
    return nil
  }

  /// Whether the fleet is asked for more of names' budgets than an allowance. One atomic load.
  var asksForNames: Bool { asking.load(ordering: .relaxed) }

  func askForNames(_ asks: Bool) { asking.store(asks, ordering: .relaxed) }

  /// One is not open any more.
  func ended() { openCount.subtract(1, ordering: .relaxed) }

  /// One more is open, past the bound too: it was before.
  func adopted() { openCount.add(1, ordering: .relaxed) }

  /// The slab for a new reservation with a key, by which a retry finds it.
  func slab(for key: ReservationKey) -> Int {
    Int(truncatingIfNeeded: key.digest) & (Self.slabCount - 1)
  }

  /// The slab for a new reservation without one: the same for a while, so that what a lane touches one
  /// after the other lies side by side, and another one for each lane. All in turn: with fewer, lanes and
  /// the ledger's thread would wait for each other.
  func slab(in run: inout SlabRun) -> Int {
    if run.left == 0 {
      let turn = sequence.add(1, ordering: .relaxed).newValue
      run = SlabRun(slab: Int(turn & UInt64(Self.slabCount - 1)), left: SlabRun.length)
    }
    run.left -= 1
    return run.slab
  }

  /// A lane's reservations in one slab.
  struct SlabRun {
    static let length = 64

    var slab = 0
    /// How many more go there.
    var left = 0
  }

  /// The slab for a reservation of an earlier life: the same for every record that names it.
  func slab(of id: ReservationID) -> Int {
    Int(truncatingIfNeeded: id.place) & (Self.slabCount - 1)
  }

  func with<Result: Sendable>(
    _ slab: Int, _ body: (inout ReservationSlab) -> Result
  ) -> Result {
    slabs[slab].slab.withLock { body(&$0) }
  }

  // MARK: - Names

  /// A place of one slab in one of its lives.
  struct Place {
    var slab: Int
    var index: Int32
    var life: UInt32

    /// Never 0: lives begin with 1.
    var word: UInt64 {
      UInt64(life) << (placeBits + slabBits) | UInt64(index) << slabBits | UInt64(slab)
    }

    init(slab: Int, index: Int32, life: UInt32) {
      self.slab = slab
      self.index = index
      self.life = life
    }

    init(word: UInt64) {
      slab = Int(word & (1 << slabBits - 1))
      index = Int32(word >> slabBits & (1 << placeBits - 1))
      life = UInt32(word >> (placeBits + slabBits))
    }
  }

  func id(_ entry: ReservationEntry, at place: Place) -> ReservationID {
    ReservationID(
      life: settings.life, place: place.word, until: entry.idUntil, amount: entry.amount,
      node: settings.node)
  }

  func isOwn(_ id: ReservationID) -> Bool { ExactText(id.node) == ExactText(settings.node) }

  func reservation(_ entry: ReservationEntry, at place: Place) -> Reservation {
    Reservation(
      id: id(entry, at: place), amount: entry.amount, until: entry.until,
      candidate: entry.candidate == ReservationEntry.noCandidate ? nil : entry.candidate)
  }

  // MARK: - Counts

  /// A request to reserve was denied, by whichever budgets of whichever candidates.
  func countDenied() { deniedCount.add(1, ordering: .relaxed) }

  /// A record that ended no reservation of this node, for that reason, was recorded.
  func count(_ ending: Settlement.Ended) {
    switch ending {
    case .late: lateCount.add(1, ordering: .relaxed)
    case .again: againCount.add(1, ordering: .relaxed)
    case .elsewhere: elsewhereCount.add(1, ordering: .relaxed)
    }
  }

  var counts: ReservationCounts {
    var counts = ReservationCounts()
    for slab in 0..<Self.slabCount { counts = counts + with(slab) { $0.counts } }
    counts.denied = deniedCount.load(ordering: .relaxed)
    counts.late = lateCount.load(ordering: .relaxed)
    counts.again = againCount.load(ordering: .relaxed)
    counts.elsewhere = elsewhereCount.load(ordering: .relaxed)
    return counts
  }

  // MARK: - Ends

  /// Notes that earlier lives' holds of `slot` end then.
  func noteInherited(_ ends: [InheritedEnd]) {
    inherited.withLock { inherited in
      inherited += ends
      inherited.sort { $0.endsSeconds > $1.endsSeconds }
    }
  }

  /// Whether holds of earlier lives wait for their ends.
  var hasInherited: Bool { inherited.withLock { !$0.isEmpty } }

  /// The slots in which holds of earlier lives have ended at `now`, `most` at most.
  func takeInheritedEnds(atMost most: Int, at now: Timestamp) -> [Int32] {
    inherited.withLock { inherited in
      var slots: [Int32] = []
      while slots.count < most, let last = inherited.last,
        last.endsSeconds <= now.unixMilliseconds / 1_000
      {
        slots.append(last.slot)
        inherited.removeLast()
      }
      return slots
    }
  }

  /// Calls `body` with each slab in turn, going on from the last call's end, until it says that enough
  /// was done.
  func forEachSlabInTurn(_ body: (Int) -> Bool) {
    expiring.withLock { turn in
      for _ in 0..<Self.slabCount {
        let goesOn = body(turn)
        if !goesOn { return }
        turn = (turn + 1) % Self.slabCount
      }
    }
  }
}
