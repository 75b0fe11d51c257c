/// Keys by digest: open addressing, 24 bytes a place, 57 to 85 % full.
///
/// Linear probing in the order of a hash: a search ends where a later key stands, so that one for a
/// key that is not there, the usual one, looks at three places rather than at a dozen.
///
/// Of the fingerprint 63 bits are kept; the last bit says whether the key is still in flight. That
/// two requests of one key differ and yet agree in 63 bits of SHA-256 is left to chance.
struct KeyTable {
  /// One place: in one piece, since each look at a large table costs a wait for memory.
  private struct Place {
    var high: UInt64
    var low: UInt64
    var mark: UInt64

    init(_ digest: UInt128, _ mark: UInt64) {
      high = UInt64(truncatingIfNeeded: digest >> 64)
      low = UInt64(truncatingIfNeeded: digest)
      self.mark = mark
    }

    var digest: UInt128 { UInt128(high) << 64 | UInt128(low) }
    var isEmpty: Bool { high | low == 0 }
  }

  /// In the order of their keys' hashes, with gaps. The last ones are nobody's home: what is moved
  /// on from the end of the table goes there.
  private var places: [Place] = []
  /// How many places are homes.
  private(set) var capacity = 0
  private(set) var count = 0
  /// Random per process: nobody can choose keys that fall in one place.
  private let seed: UInt64

  private static let flight: UInt64 = 1 << 63
  /// The empty place. A key with this digest is kept under the next one.
  private static let none: UInt128 = 0
  static let bytesPerPlace = 24

  init(seed: UInt64) { self.seed = seed }

  mutating func claim(_ digest: UInt128, _ fingerprint: UInt128) -> KeyClaim {
    let mark = Self.mark(fingerprint)
    let (place, isThere) = search(digest)
    if isThere {
      guard places[place].mark & ~Self.flight == mark else { return .mismatch }
      return places[place].mark & Self.flight == 0 ? .duplicate : .inFlight
    }
    insert(digest, mark | Self.flight, at: place)
    return .claimed
  }

  /// The claimed key is on disk.
  mutating func settle(_ digest: UInt128) {
    let (place, isThere) = search(digest)
    if isThere { places[place].mark &= ~Self.flight }
  }

  /// Adds a key that is on disk; false: it was there, whether in flight or not.
  mutating func restore(_ digest: UInt128, _ fingerprint: UInt128) -> Bool {
    let (place, isThere) = search(digest)
    if isThere { return false }
    insert(digest, Self.mark(fingerprint), at: place)
    return true
  }

  /// Whether the key is there, on disk or in flight, with these fields.
  func holds(_ digest: UInt128, _ fingerprint: UInt128) -> Bool {
    let (place, isThere) = search(digest)
    return isThere && places[place].mark & ~Self.flight == Self.mark(fingerprint)
  }

  /// Forgets a key: its claim failed, or its time is over. Those behind it move up.
  mutating func remove(_ digest: UInt128) {
    var (hole, isThere) = search(digest)
    guard isThere else { return }
    while hole + 1 < places.count {
      let next = places[hole + 1]
      if next.isEmpty || home(of: next.digest) == hole + 1 { break }
      places[hole] = next
      hole += 1
    }
    places[hole] = Place(Self.none, 0)
    count -= 1
  }

  private static func mark(_ fingerprint: UInt128) -> UInt64 {
    UInt64(truncatingIfNeeded: fingerprint) & ~flight
  }

  private func stored(_ digest: UInt128) -> UInt128 { digest == Self.none ? 1 : digest }

  @inline(__always)
  private static func hash(_ high: UInt64, _ seed: UInt64) -> UInt64 {
    let mixed = (high ^ seed).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
    return mixed.high ^ mixed.low
  }

  private func home(of digest: UInt128) -> Int {
    Self.home(of: digest, seed: seed, capacity: capacity)
  }

  /// The place at which a search for `digest` begins; it never falls as the hash grows.
  @inline(__always)
  static func home(of digest: UInt128, seed: UInt64, capacity: Int) -> Int {
    let hash = hash(UInt64(truncatingIfNeeded: digest >> 64), seed)
    return Int(hash.multipliedFullWidth(by: UInt64(capacity)).high)
  }

  /// The address of the places in memory, as a number.
  var address: UInt {
    // Safe: nothing is read through it.
    unsafe places.withUnsafeBufferPointer { UInt(bitPattern: $0.baseAddress) }
  }

  /// The place of the key, or the one at which it would be put: there is the next empty place, or a
  /// later key.
  @inline(__always)
  private func search(_ digest: UInt128) -> (place: Int, isThere: Bool) {
    let (high, low) = (
      UInt64(truncatingIfNeeded: stored(digest) >> 64), UInt64(truncatingIfNeeded: stored(digest))
    )
    let hash = Self.hash(high, seed)
    var place = Int(hash.multipliedFullWidth(by: UInt64(capacity)).high)
    let places = places.span
    while place < places.count {
      let found = places[place]
      if found.isEmpty { break }
      if found.high == high, found.low == low { return (place, true) }
      if Self.hash(found.high, seed) > hash { break }
      place += 1
    }
    return (place, false)
  }

  private mutating func insert(_ digest: UInt128, _ mark: UInt64, at found: Int) {
    var place = found
    if (count + 1) * 100 > capacity * 85 {
      rebuild()
      place = search(digest).place
    }
    var gap = place
    while gap < places.count, !places[gap].isEmpty { gap += 1 }
    if gap == places.count {
      // More keys than chance should bring have their home at the table's end.
      rebuild()
      return insert(digest, mark, at: search(digest).place)
    }
    // Safe: `gap` lies in the table, and so does what lies before it.
    unsafe places.withUnsafeMutableBufferPointer { places in
      guard let base = places.baseAddress, gap > place else { return }
      unsafe (base + place + 1).update(from: base + place, count: gap - place)
    }
    places[place] = Place(stored(digest), mark)
    count += 1
  }

  /// Makes the table half as large again. The order stays, so each place is read and written once,
  /// one after the other.
  private mutating func rebuild() {
    let old = exchange(&places, with: [])
    capacity = capacity * 3 / 2 + 16
    places = [Place](repeating: Place(Self.none, 0), count: capacity + min(capacity, 256))
    var next = 0
    for place in old where !place.isEmpty {
      next = max(next, home(of: place.digest))
      if next == places.count {
        places.append(place)
      } else {
        places[next] = place
      }
      next += 1
    }
  }
}
