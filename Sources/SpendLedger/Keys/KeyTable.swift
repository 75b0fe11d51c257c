/// Keys by digest: open addressing with linear probing, 24 bytes a place, 68 to 85 % full.
///
/// Of the fingerprint 63 bits are kept; the last bit says whether the key is still in flight. That
/// two requests of one key differ and yet agree in 63 bits of SHA-256 is left to chance.
struct KeyTable {
  private var digests: [UInt128] = []
  private var marks: [UInt64] = []
  private(set) var count = 0
  /// Random per process: nobody can choose keys that fall in one place.
  private let seed: UInt64

  private static let flight: UInt64 = 1 << 63
  /// The empty place. A key with this digest is kept under the next one.
  private static let none: UInt128 = 0
  static let bytesPerPlace = 24

  init(seed: UInt64) { self.seed = seed }

  var capacity: Int { digests.count }

  mutating func claim(_ digest: UInt128, _ fingerprint: UInt128) -> KeyClaim {
    let mark = Self.mark(fingerprint)
    if let place = place(of: digest) {
      guard marks[place] & ~Self.flight == mark else { return .mismatch }
      return marks[place] & Self.flight == 0 ? .duplicate : .inFlight
    }
    insert(digest, mark | Self.flight)
    return .claimed
  }

  /// The claimed key is on disk.
  mutating func settle(_ digest: UInt128) {
    if let place = place(of: digest) { marks[place] &= ~Self.flight }
  }

  /// Adds a key that is on disk; false: it was there, whether in flight or not.
  mutating func restore(_ digest: UInt128, _ fingerprint: UInt128) -> Bool {
    if place(of: digest) != nil { return false }
    insert(digest, Self.mark(fingerprint))
    return true
  }

  /// Whether the key is there, on disk or in flight, with these fields.
  func holds(_ digest: UInt128, _ fingerprint: UInt128) -> Bool {
    place(of: digest).map { marks[$0] & ~Self.flight == Self.mark(fingerprint) } ?? false
  }

  /// Forgets a key: its claim failed, or its time is over. Those behind it move up.
  mutating func remove(_ digest: UInt128) {
    guard var hole = place(of: digest) else { return }
    var place = hole
    while true {
      place = next(place)
      if digests[place] == Self.none { break }
      let home = home(of: digests[place])
      let staysPut = hole <= place ? hole < home && home <= place : hole < home || home <= place
      if staysPut { continue }
      digests[hole] = digests[place]
      marks[hole] = marks[place]
      hole = place
    }
    digests[hole] = Self.none
    count -= 1
  }

  private static func mark(_ fingerprint: UInt128) -> UInt64 {
    UInt64(truncatingIfNeeded: fingerprint) & ~flight
  }

  private func stored(_ digest: UInt128) -> UInt128 { digest == Self.none ? 1 : digest }

  private func home(of digest: UInt128) -> Int {
    let mixed = (UInt64(truncatingIfNeeded: digest >> 64) ^ seed)
      .multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
    return Int((mixed.high ^ mixed.low).multipliedFullWidth(by: UInt64(digests.count)).high)
  }

  private func next(_ place: Int) -> Int { place + 1 == digests.count ? 0 : place + 1 }

  private func place(of digest: UInt128) -> Int? {
    guard count > 0 else { return nil }
    let digest = stored(digest)
    var place = home(of: digest)
    while true {
      let found = digests[place]
      if found == digest { return place }
      if found == Self.none { return nil }
      place = next(place)
    }
  }

  private mutating func insert(_ digest: UInt128, _ mark: UInt64) {
    if (count + 1) * 100 > digests.count * 85 { rebuild(capacity: digests.count * 5 / 4 + 16) }
    put(stored(digest), mark)
    count += 1
  }

  private mutating func put(_ digest: UInt128, _ mark: UInt64) {
    var place = home(of: digest)
    while digests[place] != Self.none { place = next(place) }
    digests[place] = digest
    marks[place] = mark
  }

  private mutating func rebuild(capacity: Int) {
    let old = digests
    let oldMarks = marks
    digests = [UInt128](repeating: Self.none, count: capacity)
    marks = [UInt64](repeating: 0, count: capacity)
    for (index, digest) in old.enumerated() where digest != Self.none {
      put(digest, oldMarks[index])
    }
  }
}
