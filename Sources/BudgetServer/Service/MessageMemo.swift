import BudgetModel

/// What messages that were met before stand for: a table of a fixed number of places, four for each
/// hash, of which a new message takes the one that was written longest ago.
///
/// Whole messages are compared, so that a meaning is never another message's; the seed is random, so
/// that nobody can choose messages that push each other out. Memory: nothing until the first message
/// is remembered.
struct MessageMemo<Meaning> {
  private struct Place {
    /// The configuration that the meaning was resolved under.
    var generation: UInt64 = 0
    var message: [UInt8] = []
    var age: UInt64 = 0
    var meaning: Meaning
  }

  private static var ways: Int { 4 }

  private var places: [Place] = []
  /// Each place's hash, apart: those of one set share a cache line.
  private var hashes: [UInt64] = []
  private let seed = UInt64.random(in: 1 ... .max)
  private let placeCount: Int
  private let messageBound: Int
  private let empty: Meaning
  /// Counts what was remembered: the places' age.
  private var age: UInt64 = 0

  /// A table of `placeCount` places, a power of two, for messages of up to `messageBound` bytes.
  init(placeCount: Int, messageBound: Int, empty: Meaning) {
    precondition(placeCount.nonzeroBitCount == 1 && placeCount >= Self.ways, "no such table")
    self.placeCount = placeCount
    self.messageBound = messageBound
    self.empty = empty
  }

  /// Where `message` is, if it is known under the configuration `generation`.
  @inline(__always)
  func place(of message: NameBytes, under generation: UInt64) -> Int? {
    guard message.count <= messageBound, !places.isEmpty else { return nil }
    let hash = message.hash(seed: seed)
    let (hashes, places) = (hashes.span, places.span)
    let first = firstPlace(hash)
    for index in first..<first + Self.ways where hashes[index] == hash {
      guard places[index].generation == generation,
        places[index].message.count == message.count,
        message.isEqual(to: places[index].message, from: 0)
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

  /// Remembers `message` under the configuration `generation`; `write` puts down what it stands for.
  /// A message past the bound is resolved each time.
  mutating func remember(
    _ message: NameBytes, under generation: UInt64, _ write: (inout Meaning) -> Void
  ) {
    guard !message.isEmpty, message.count <= messageBound else { return }
    if places.isEmpty {
      places = Array(repeating: Place(meaning: empty), count: placeCount)
      hashes = Array(repeating: 0, count: placeCount)
    }
    let hash = message.hash(seed: seed)
    let place = placeToWrite(hash)
    age += 1
    hashes[place] = hash
    places[place].age = age
    places[place].generation = generation
    places[place].message.removeAll(keepingCapacity: true)
    message.append(to: &places[place].message)
    write(&places[place].meaning)
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
