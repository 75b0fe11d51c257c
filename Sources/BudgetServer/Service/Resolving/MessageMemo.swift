import BudgetModel

/// The meanings of parts of messages that were met before: a table of a fixed number of places,
/// four for each hash, of which a new part takes the one that was written longest ago.
///
/// Whole parts are compared, so that a meaning is never another part's; the seed is random, so that
/// nobody can choose parts that push each other out. A part is remembered when it is met the second
/// time: one that never comes again would cost more to write down than to resolve.
/// Memory: nothing until the first part is met; then a table of hashes, and the parts.
struct MessageMemo<Meaning> {
  private struct Place {
    /// The configuration that the meaning was resolved under.
    var generation: UInt64 = 0
    var part: [UInt8] = []
    var age: UInt64 = 0
    var meaning: Meaning
  }

  private static var ways: Int { 4 }
  private static var patience: Int { 64 }
  private static var interval: Int { 16 }

  private var places: [Place] = []
  /// Each place's hash, apart: those of one set share a cache line.
  private var hashes: [UInt64] = []
  /// The hashes of parts that were met lately. Sometimes one pushes another out, which costs a
  /// second meeting more.
  private var met: [UInt64] = []
  private let seed = UInt64.random(in: 1 ... .max)
  private let placeCount: Int
  private let partBound: Int
  private let empty: Meaning
  /// Counts what was remembered: the places' age.
  private var age: UInt64 = 0
  /// How many parts in a row were not found, or not looked for.
  private var misses = 0

  /// A table of `placeCount` places, a power of two, for parts of up to `partBound` bytes.
  init(placeCount: Int, partBound: Int, empty: Meaning) {
    precondition(placeCount.nonzeroBitCount == 1 && placeCount >= Self.ways, "no such table")
    self.placeCount = placeCount
    self.partBound = partBound
    self.empty = empty
  }

  /// The argument of `place` and `placeToWrite`, under the configuration `generation`. Nil if the
  /// part is past the bound, or a search for it is not worth its time.
  @inline(__always)
  mutating func sought(_ part: NameBytes, under generation: UInt64) -> SoughtPart? {
    guard !part.isEmpty, part.count <= partBound, isWorthLooking() else { return nil }
    return SoughtPart(bytes: part, hash: part.hash(seed: seed), generation: generation)
  }

  /// A search for parts that do not repeat is in vain: after `patience` misses only one part in
  /// `interval` is looked for, until one is found.
  @inline(__always)
  private mutating func isWorthLooking() -> Bool {
    if misses < Self.patience { return true }
    misses &+= 1
    return misses % Self.interval == 0
  }

  /// The place of `part`, if it is known.
  @inline(__always)
  mutating func place(of part: SoughtPart) -> Int? {
    guard let place = find(part) else {
      if misses < Self.patience { misses += 1 }
      return nil
    }
    misses = 0
    return place
  }

  @inline(__always)
  private func find(_ part: SoughtPart) -> Int? {
    guard !places.isEmpty else { return nil }
    let (hashes, places) = (hashes.span, places.span)
    let first = firstPlace(part.hash)
    for index in first..<first + Self.ways where hashes[index] == part.hash {
      guard places[index].generation == part.generation,
        places[index].part.count == part.bytes.count,
        part.bytes.isEqual(to: places[index].part, from: 0)
      else { return nil }
      return index
    }
    return nil
  }

  /// Lends the meaning at `place`, to be changed in place if need be.
  @inline(__always)
  mutating func withMeaning<Result>(
    at place: Int, _ body: (inout Meaning) -> Result
  ) -> Result {
    body(&places[place].meaning)
  }

  /// Remembers `part` and says at which place its meaning is to be written. Nil where it is met for
  /// the first time.
  mutating func placeToWrite(_ part: SoughtPart) -> Int? {
    guard wasMet(part.hash) else { return nil }
    if places.isEmpty {
      places = Array(repeating: Place(meaning: empty), count: placeCount)
      hashes = Array(repeating: 0, count: placeCount)
    }
    let place = placeToWrite(part.hash)
    age += 1
    hashes[place] = part.hash
    places[place].age = age
    places[place].generation = part.generation
    places[place].part.removeAll(keepingCapacity: true)
    part.bytes.append(to: &places[place].part)
    return place
  }

  /// Whether a part of this hash was met lately; it was from now on.
  private mutating func wasMet(_ hash: UInt64) -> Bool {
    if met.isEmpty { met = Array(repeating: 0, count: placeCount) }
    let place = Int(truncatingIfNeeded: hash) & (placeCount - 1)
    if met[place] == hash { return true }
    met[place] = hash
    return false
  }

  /// The place that has the hash, so that no hash stands twice, or the oldest of its set.
  private func placeToWrite(_ hash: UInt64) -> Int {
    let set = firstPlace(hash)..<firstPlace(hash) + Self.ways
    if let same = set.first(where: { hashes[$0] == hash }) { return same }
    return set.min { places[$0].age < places[$1].age } ?? set.lowerBound
  }

  private func firstPlace(_ hash: UInt64) -> Int {
    Int(truncatingIfNeeded: hash) & (placeCount - Self.ways)
  }
}

/// A part of a message that is looked for. Valid as long as the message is.
struct SoughtPart {
  let bytes: NameBytes
  let hash: UInt64
  /// The configuration that its meaning is asked for under.
  let generation: UInt64
}
