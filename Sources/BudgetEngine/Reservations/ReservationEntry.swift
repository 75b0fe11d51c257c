import BudgetModel

/// One reservation in its slab: 128 bytes.
struct ReservationEntry: Sendable {
  enum State: UInt8, Sendable {
    case open
    /// A record that settles it waits for the disk.
    case settling
    case settled
    case released
    case expired

    var isOver: Bool { self == .settled || self == .released || self == .expired }
  }

  var amount: PicoUSD
  var variance: CostVariance
  var key: ReservationKey
  /// When it ends.
  var until: Timestamp
  /// The end that its id tells.
  var idUntil: Timestamp
  /// Its budgets; those that do not fit are in the slab's own list.
  var slots = InlineArray<6, Int32>(repeating: Slot.none)
  var slotCount: UInt16 = 0
  var state = State.open
  var hasKey: Bool
  /// How often the place has been taken: not 0.
  var life: UInt32 = 1
  /// The position of the candidate; `noCandidate`: there is none.
  var candidate: UInt32
  /// The neighbours in its list: that of its end while it is open, of its turn to go once it is over.
  var previous: Int32 = ExpiryWheel.none
  var next: Int32 = ExpiryWheel.none
  /// The wheel's list that it is in.
  var list: Int32 = ExpiryWheel.none

  static let noCandidate = UInt32.max

  /// So many budgets have room in place.
  static let slotsInPlace = 6

  var hold: SlotHolds.Hold {
    SlotHolds.Hold(
      amount: amount, variance: variance, untilSeconds: HeldSum.seconds(from: idUntil),
      endsSeconds: HeldSum.seconds(from: until))
  }

  /// A reservation that is made now.
  init(_ reserved: ReservedAmount, until: Timestamp, key: ReservationKey?, candidate: UInt32?) {
    amount = reserved.amount
    variance = reserved.variance
    self.key = key ?? ReservationKey(digest: 0, fingerprint: 0)
    hasKey = key != nil
    self.until = until
    idUntil = until
    self.candidate = candidate ?? Self.noCandidate
  }
}

/// The reservations of one slab by the digests of their keys: 5 to 11 bytes for each. Digests are
/// uniform, so their own bits are the hash.
struct ReservationKeys: Sendable {
  private var places: [Int32] = []
  private(set) var count = 0

  private static let none = ExpiryWheel.none

  /// The place among `entries` of the one whose key's digest is `digest`.
  func place(of digest: UInt128, in entries: [ReservationEntry]) -> Int32? {
    guard !places.isEmpty else { return nil }
    var index = home(of: digest)
    while places[index] != Self.none {
      if entries[Int(places[index])].key.digest == digest { return places[index] }
      index = (index + 1) & (places.count - 1)
    }
    return nil
  }

  /// Adds a place of `entries`, whose digest is not there yet.
  mutating func add(_ place: Int32, in entries: [ReservationEntry]) {
    if (count + 1) * 4 > places.count * 3 { grow(entries) }
    put(place, entries[Int(place)].key.digest)
    count += 1
  }

  private mutating func put(_ place: Int32, _ digest: UInt128) {
    var index = home(of: digest)
    while places[index] != Self.none { index = (index + 1) & (places.count - 1) }
    places[index] = place
  }

  private mutating func grow(_ entries: [ReservationEntry]) {
    let old = places
    places = [Int32](repeating: Self.none, count: max(16, old.count * 2))
    for place in old where place != Self.none { put(place, entries[Int(place)].key.digest) }
  }

  /// Takes `place` out, and moves those behind it that were in its way.
  mutating func remove(_ place: Int32, in entries: [ReservationEntry]) {
    guard !places.isEmpty else { return }
    var index = home(of: entries[Int(place)].key.digest)
    while places[index] != place {
      if places[index] == Self.none { return }
      index = (index + 1) & (places.count - 1)
    }
    count -= 1
    var next = (index + 1) & (places.count - 1)
    while places[next] != Self.none {
      let home = home(of: entries[Int(places[next])].key.digest)
      let distance = (next - home) & (places.count - 1)
      if distance >= (next - index) & (places.count - 1) {
        places[index] = places[next]
        index = next
      }
      next = (next + 1) & (places.count - 1)
    }
    places[index] = Self.none
  }

  /// The lowest bits choose the slab.
  private func home(of digest: UInt128) -> Int {
    Int(truncatingIfNeeded: digest >> 6) & (places.count - 1)
  }
}

/// The places of reservations of earlier lives that records of this one have named: a second record of
/// one finds the first, and not the hold of another that ends in the same second. Empty but for the
/// hour behind a restart.
struct AdoptedReservations: Sendable {
  private struct Name: Hashable {
    var life: UInt32
    var place: UInt64

    init(_ id: ReservationID) { (life, place) = (id.life, id.place) }
  }

  /// A place in this life, and until when anything of the earlier one may be kept back.
  private struct Adoption {
    var place: Reservations.Place
    var endsSeconds: Int64
  }

  private var adoptions: [Name: Adoption] = [:]
  /// Those that have ended are looked for when there are so many.
  private var crowd = 64

  /// The place of `id` in this life; nil: no record has named it.
  func place(of id: ReservationID) -> Reservations.Place? { adoptions[Name(id)]?.place }

  mutating func note(
    _ id: ReservationID, at place: Reservations.Place, endsSeconds: Int64, now: Timestamp
  ) {
    if adoptions.count >= crowd {
      let seconds = now.unixMilliseconds / 1_000
      adoptions = adoptions.filter { $0.value.endsSeconds >= seconds }
      crowd = max(64, adoptions.count * 2)
    }
    adoptions[Name(id)] = Adoption(place: place, endsSeconds: endsSeconds)
  }

  /// Nothing came of it.
  mutating func forget(_ id: ReservationID) { adoptions[Name(id)] = nil }
}
