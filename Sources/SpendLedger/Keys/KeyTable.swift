/// Keys by digest: open addressing with linear probing, 24 bytes a place, 68 to 85 % full.
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

  private var places: [Place] = []
  private(set) var count = 0
  /// Random per process: nobody can choose keys that fall in one place.
  private let seed: UInt64

  private static let flight: UInt64 = 1 << 63
  /// The empty place. A key with this digest is kept under the next one.
  private static let none: UInt128 = 0
  static let bytesPerPlace = 24

  init(seed: UInt64) { self.seed = seed }

  var capacity: Int { places.count }

  mutating func claim(_ digest: UInt128, _ fingerprint: UInt128) -> KeyClaim {
    let mark = Self.mark(fingerprint)
    if let place = place(of: digest) {
      guard places[place].mark & ~Self.flight == mark else { return .mismatch }
      return places[place].mark & Self.flight == 0 ? .duplicate : .inFlight
    }
    insert(digest, mark | Self.flight)
    return .claimed
  }

  /// The claimed key is on disk.
  mutating func settle(_ digest: UInt128) {
    if let place = place(of: digest) { places[place].mark &= ~Self.flight }
  }

  /// Adds a key that is on disk; false: it was there, whether in flight or not.
  mutating func restore(_ digest: UInt128, _ fingerprint: UInt128) -> Bool {
    if place(of: digest) != nil { return false }
    insert(digest, Self.mark(fingerprint))
    return true
  }

  /// Whether the key is there, on disk or in flight, with these fields.
  func holds(_ digest: UInt128, _ fingerprint: UInt128) -> Bool {
    place(of: digest).map { places[$0].mark & ~Self.flight == Self.mark(fingerprint) } ?? false
  }

  /// Forgets a key: its claim failed, or its time is over. Those behind it move up.
  mutating func remove(_ digest: UInt128) {
    guard var hole = place(of: digest) else { return }
    var place = hole
    while true {
      place = next(place)
      if places[place].isEmpty { break }
      let home = home(of: places[place].digest)
      let staysPut = hole <= place ? hole < home && home <= place : hole < home || home <= place
      if staysPut { continue }
      places[hole] = places[place]
      hole = place
    }
    places[hole] = Place(Self.none, 0)
    count -= 1
  }

  private static func mark(_ fingerprint: UInt128) -> UInt64 {
    UInt64(truncatingIfNeeded: fingerprint) & ~flight
  }

  private func stored(_ digest: UInt128) -> UInt128 { digest == Self.none ? 1 : digest }

  private func home(of digest: UInt128) -> Int {
    let mixed = (UInt64(truncatingIfNeeded: digest >> 64) ^ seed)
      .multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
    return Int((mixed.high ^ mixed.low).multipliedFullWidth(by: UInt64(places.count)).high)
  }

  private func next(_ place: Int) -> Int { place + 1 == places.count ? 0 : place + 1 }

  private func place(of digest: UInt128) -> Int? {
    guard count > 0 else { return nil }
    let digest = stored(digest)
    var place = home(of: digest)
    while true {
      let found = places[place]
      if found.digest == digest { return place }
      if found.isEmpty { return nil }
      place = next(place)
    }
  }

  private mutating func insert(_ digest: UInt128, _ mark: UInt64) {
    if (count + 1) * 100 > places.count * 85 { rebuild(capacity: places.count * 5 / 4 + 16) }
    put(stored(digest), mark)
    count += 1
  }

  private mutating func put(_ digest: UInt128, _ mark: UInt64) {
    var place = home(of: digest)
    while !places[place].isEmpty { place = next(place) }
    places[place] = Place(digest, mark)
  }

  private mutating func rebuild(capacity: Int) {
    let old = exchange(&places, with: [])
    places = [Place](repeating: Place(Self.none, 0), count: capacity)
    for place in old where !place.isEmpty { put(place.digest, place.mark) }
  }
}
