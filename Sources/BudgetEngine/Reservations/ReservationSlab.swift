import BudgetModel

/// A part of the reservations, each at a place; behind a lock. Places are handed out again, those
/// whose reservation ended first before others, and not before so many others have ended: until then a
/// retry of one that is over finds it.
struct ReservationSlab: Sendable {
  private var entries: [ReservationEntry] = []
  /// The budgets of those that have more than fit in place, by place.
  private var more: [Int32: [Int32]] = [:]
  private var keys = ReservationKeys()
  /// Those of earlier lives that records have named.
  var adopted = AdoptedReservations()
  private var wheel = ExpiryWheel()
  /// Those that are over, the longest first.
  private var firstOver = ExpiryWheel.none
  private var lastOver = ExpiryWheel.none
  private var overCount = 0
  var counts = ReservationCounts()

  /// So many stay known once they are over.
  private static let keptOver = 512

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
    let place = takePlace(entry)
    var index = 0
    for slot in slots {
      if index < ReservationEntry.slotsInPlace {
        entries[Int(place)].slots[index] = slot
      } else {
        more[place, default: []].append(slot)
      }
      index += 1
    }
    entries[Int(place)].slotCount = UInt16(index)
    if entry.hasKey { keys.add(place, in: entries) }
    link(place, at: now)
    counts.open += 1
    counts.held += 1
    counts.heldAmount += entry.amount
    return place
  }

  private mutating func takePlace(_ entry: ReservationEntry) -> Int32 {
    guard overCount > Self.keptOver else {
      if entries.count == entries.capacity {
        // By an eighth: doubled, they could take twice the memory they need.
        entries.reserveCapacity(entries.count + entries.count / 8 + 16)
      }
      entries.append(entry)
      return Int32(entries.count - 1)
    }
    let place = firstOver
    let old = entries[Int(place)]
    firstOver = old.next
    if firstOver == ExpiryWheel.none { lastOver = ExpiryWheel.none }
    overCount -= 1
    if old.hasKey { keys.remove(place, in: entries) }
    if Int(old.slotCount) > ReservationEntry.slotsInPlace { more[place] = nil }
    entries[Int(place)] = entry
    entries[Int(place)].life = old.life == .max ? 1 : old.life + 1
    return place
  }

  /// Calls `body` with each of the reservation's budgets.
  func forEachSlot(of place: Int32, _ body: (Int32) -> Void) {
    let count = Int(entries[Int(place)].slotCount)
    for index in 0..<min(count, ReservationEntry.slotsInPlace) {
      body(entries[Int(place)].slots[index])
    }
    guard count > ReservationEntry.slotsInPlace, let rest = more[place] else { return }
    for slot in rest { body(slot) }
  }

  /// Whether `slot` is one of the reservation's budgets.
  func covers(_ place: Int32, _ slot: Int32) -> Bool {
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
    entries[index].state = state
    entries[index].next = ExpiryWheel.none
    if lastOver == ExpiryWheel.none {
      firstOver = place
    } else {
      entries[Int(lastOver)].next = place
    }
    lastOver = place
    overCount += 1
    counts.open -= 1
    switch state {
    case .settled:
      counts.settled += 1
      counts.settledAmount += entries[index].amount
    case .released:
      counts.released += 1
      counts.releasedAmount += entries[index].amount
    case .expired:
      counts.expired += 1
      counts.expiredAmount += entries[index].amount
    case .open, .settling: preconditionFailure("a reservation ended as one that goes on")
    }
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
    let list = wheel.list(until: entries[Int(place)].until, at: now)
    let head = wheel.heads[Int(list)]
    entries[Int(place)].list = list
    entries[Int(place)].previous = ExpiryWheel.none
    entries[Int(place)].next = head
    if head != ExpiryWheel.none { entries[Int(head)].previous = place }
    wheel.setHead(place, of: list)
    wheel.added(to: list)
  }

  private mutating func unlink(_ place: Int32) {
    let entry = entries[Int(place)]
    if entry.previous == ExpiryWheel.none {
      wheel.setHead(entry.next, of: entry.list)
    } else {
      entries[Int(entry.previous)].next = entry.next
    }
    if entry.next != ExpiryWheel.none { entries[Int(entry.next)].previous = entry.previous }
    entries[Int(place)].list = ExpiryWheel.none
    wheel.removed(from: entry.list)
  }
}
