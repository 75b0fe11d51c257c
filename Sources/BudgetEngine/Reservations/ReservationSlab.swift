import BudgetModel

/// A part of the reservations, each at a place; behind a lock. Places are handed out again, those
/// whose reservation ended first before others, and not before so many others have ended: until then a
/// retry of one that is over finds it. Without a key there is no retry, and a place that was used lately
/// is still in the processor's cache.
struct ReservationSlab: Sendable {
  private var entries: [ReservationEntry] = []
  /// The budgets of those that have more than fit in place, by place.
  private var more: [Int32: [Int32]] = [:]
  private var keys = ReservationKeys()
  /// Those of earlier lives that records have named.
  var adopted = AdoptedReservations()
  private var wheel = ExpiryWheel()
  /// Those that are over and were made with a key, and the others.
  private var over = OverList(kept: 512)
  private var overWithoutKey = OverList(kept: 64)
  var counts = ReservationCounts()

  /// Reservations that are over, the longest first; their links are in the entries.
  private struct OverList {
    /// So many stay known.
    let kept: Int
    var first = ExpiryWheel.none
    var last = ExpiryWheel.none
    var count = 0

    init(kept: Int) { self.kept = kept }
  }

  subscript(place: Int32) -> ReservationEntry {
    get { entries[Int(place)] }
    _modify { yield &entries[Int(place)] }
  }

  /// The reservation of that key, open or over.
  func place(of key: ReservationKey) -> Int32? {
    keys.place(of: key.digest, in: entries)
  }

  /// Whether `place` still is the reservation's that was there in its life `life`.
  func holds(_ place: Int32, life: UInt32) -> Bool {
    Int(place) < entries.count && entries[Int(place)].life == life
  }

  /// Whether that reservation is open.
  func isOpen(_ place: Int32, life: UInt32) -> Bool {
    holds(place, life: life) && entries[Int(place)].state == .open
  }

  /// Adds an open reservation over `slots`, which is not there yet, and gives its place.
  mutating func add(
    _ entry: ReservationEntry, over slots: some Collection<Int32>, at now: Timestamp
  ) -> Int32 {
    var entry = entry
    var rest: [Int32] = []
    var count = 0
    for slot in slots {
      if count < ReservationEntry.slotsInPlace {
        entry.slots[count] = slot
      } else {
        rest.append(slot)
      }
      count += 1
    }
    entry.slotCount = UInt16(count)
    let place = takePlace(&entry)
    if !rest.isEmpty { more[place] = rest }
    if entry.hasKey { keys.add(place, in: entries) }
    link(place, at: now)
    counts.open += 1
    counts.held += 1
    counts.heldAmount += entry.amount
    return place
  }

  /// Puts `entry` at a place, in the life that it gives it.
  private mutating func takePlace(_ entry: inout ReservationEntry) -> Int32 {
    let over =
      Self.takeFirst(of: &overWithoutKey, entries) ?? Self.takeFirst(of: &over, entries)
    guard let place = over else {
      if entries.count == entries.capacity {
        // By an eighth: doubled, they could take twice the memory they need.
        entries.reserveCapacity(entries.count + entries.count / 8 + 16)
      }
      entries.append(entry)
      return Int32(entries.count - 1)
    }
    let index = Int(place)
    if entries[index].hasKey { keys.remove(place, in: entries) }
    if Int(entries[index].slotCount) > ReservationEntry.slotsInPlace { more[place] = nil }
    let life = entries[index].life
    entry.life = life == .max ? 1 : life + 1
    entries[index] = entry
    return place
  }

  /// The place of the one that is over for longest, which leaves its list; nil: it stays known.
  private static func takeFirst(of list: inout OverList, _ entries: [ReservationEntry]) -> Int32? {
    guard list.count > list.kept else { return nil }
    let place = list.first
    list.first = entries[Int(place)].next
    if list.first == ExpiryWheel.none { list.last = ExpiryWheel.none }
    list.count -= 1
    return place
  }

  /// Calls `body` with each of the reservation's budgets.
  @inline(__always)
  func forEachSlot(of place: Int32, _ body: (Int32) -> Void) {
    let entries = entries.span
    let count = Int(entries[Int(place)].slotCount)
    for index in 0..<min(count, ReservationEntry.slotsInPlace) {
      body(entries[Int(place)].slots[index])
    }
    guard count > ReservationEntry.slotsInPlace, let rest = more[place] else { return }
    for slot in rest { body(slot) }
  }

  /// Whether `slot` is one of the reservation's budgets.
  @inline(__always)
  func covers(_ place: Int32, _ slot: Int32) -> Bool {
    let entries = entries.span
    let count = Int(entries[Int(place)].slotCount)
    for index in 0..<min(count, ReservationEntry.slotsInPlace)
    where entries[Int(place)].slots[index] == slot {
      return true
    }
    return count > ReservationEntry.slotsInPlace && more[place]?.contains(slot) == true
  }

  // MARK: - Ends

  /// A record that settles the reservation begins to wait: it does not end by its time meanwhile.
  mutating func beginSettling(_ place: Int32) {
    unlink(place)
    entries[Int(place)].state = .settling
  }

  /// The record is not to be had: the reservation is open again.
  mutating func reopen(_ place: Int32, at now: Timestamp) {
    entries[Int(place)].state = .open
    link(place, at: now)
  }

  mutating func extend(_ place: Int32, until: Timestamp, at now: Timestamp) {
    unlink(place)
    entries[Int(place)].until = until
    link(place, at: now)
  }

  /// The reservation is over.
  mutating func end(_ place: Int32, as state: ReservationEntry.State) {
    let index = Int(place)
    if entries[index].state == .open { unlink(place) }
    let amount =
      if entries[index].hasKey {
        Self.end(index, of: &entries, into: &over, as: state)
      } else {
        Self.end(index, of: &entries, into: &overWithoutKey, as: state)
      }
    counts.open -= 1
    switch state {
    case .settled:
      counts.settled += 1
      counts.settledAmount += amount
    case .released:
      counts.released += 1
      counts.releasedAmount += amount
    case .expired:
      counts.expired += 1
      counts.expiredAmount += amount
    case .open, .settling: preconditionFailure("a reservation ended as one that goes on")
    }
  }

  /// Puts the entry behind those that are over, and gives its amount.
  private static func end(
    _ index: Int, of entries: inout [ReservationEntry], into list: inout OverList,
    as state: ReservationEntry.State
  ) -> PicoUSD {
    var entries = entries.mutableSpan
    let place = Int32(index)
    entries[index].state = state
    entries[index].next = ExpiryWheel.none
    if list.last == ExpiryWheel.none {
      list.first = place
    } else {
      entries[Int(list.last)].next = place
    }
    list.last = place
    list.count += 1
    return entries[index].amount
  }

  /// The reservation was never made.
  mutating func withdraw(_ place: Int32) {
    end(place, as: .released)
    counts.held -= 1
    counts.heldAmount -= entries[Int(place)].amount
    counts.released -= 1
    counts.releasedAmount -= entries[Int(place)].amount
    counts.inherited -= 1
  }

  /// An open reservation whose time is over at `now`; nil: there is none. It is to be ended before the
  /// next call.
  mutating func due(at now: Timestamp) -> Int32? {
    while let step = wheel.next(at: now) {
      switch step {
      case .ends(let list): return wheel.heads[Int(list)]
      case .spreads(let list):
        var place = wheel.heads[Int(list)]
        while place != ExpiryWheel.none {
          let next = entries[Int(place)].next
          unlink(place)
          link(place, at: now)
          place = next
        }
      }
    }
    return nil
  }

  private mutating func link(_ place: Int32, at now: Timestamp) {
    Self.link(place, of: &entries, into: &wheel, at: now)
  }

  private mutating func unlink(_ place: Int32) { Self.unlink(place, of: &entries, from: &wheel) }

  // Given the two parts, so that the entries are made sure of once and not at each use.

  private static func link(
    _ place: Int32, of entries: inout [ReservationEntry], into wheel: inout ExpiryWheel,
    at now: Timestamp
  ) {
    var entries = entries.mutableSpan
    let list = wheel.list(until: entries[Int(place)].until, at: now)
    let head = wheel.put(place, first: list)
    entries[Int(place)].list = list
    entries[Int(place)].previous = ExpiryWheel.none
    entries[Int(place)].next = head
    if head != ExpiryWheel.none { entries[Int(head)].previous = place }
  }

  private static func unlink(
    _ place: Int32, of entries: inout [ReservationEntry], from wheel: inout ExpiryWheel
  ) {
    var entries = entries.mutableSpan
    let (list, previous, next) = (
      entries[Int(place)].list, entries[Int(place)].previous, entries[Int(place)].next
    )
    if previous == ExpiryWheel.none {
      wheel.setHead(next, of: list)
    } else {
      entries[Int(previous)].next = next
    }
    if next != ExpiryWheel.none { entries[Int(next)].previous = previous }
    entries[Int(place)].list = ExpiryWheel.none
    wheel.removed(from: list)
  }
}
