import BudgetEngine
import BudgetModel

/// The questions that filter messages resolved to: a table of a fixed number of places, two for each
/// hash, of which a new message takes the one that was written longer ago.
///
/// Whole messages are compared, so that an answer is never another message's; the seed is random, so
/// that nobody can choose messages that push each other out. Memory: nothing until the first message
/// is remembered; at most 3 MiB.
struct KnownFilters {
  private struct Place {
    var hash: UInt64 = 0
    /// The configuration that the question was resolved under.
    var generation: UInt64 = 0
    var message: [UInt8] = []
    var question = FilterQuestion()
    var age: UInt64 = 0
  }

  private static let placeCount = 1_024
  static let messageBound = 2_048
  static let candidateBound = 64
  static let tagBound = 16

  private let seed = UInt64.random(in: 1 ... .max)
  private var places: [Place] = []
  /// Counts what was remembered: the places' age.
  private var age: UInt64 = 0

  /// Decides the question that `message` stands for under `catalog`, if it is known; says whether.
  func decide(
    _ message: NameBytes, by engine: BudgetEngine, in catalog: BudgetCatalog, at now: Timestamp,
    into decision: inout FilterDecision
  ) -> Bool {
    guard message.count <= Self.messageBound, !places.isEmpty else { return false }
    let hash = message.hash(seed: seed)
    // A span lends its elements: nothing of the place is copied.
    let places = places.span
    var index = Self.firstPlace(hash)
    if places[index].hash != hash { index ^= 1 }
    guard places[index].hash == hash, places[index].generation == catalog.generation,
      places[index].message.count == message.count,
      message.isEqual(to: places[index].message, from: 0)
    else { return false }
    engine.filter(places[index].question, in: catalog, at: now, into: &decision)
    return true
  }

  /// Remembers `question` as what `message` stands for under the configuration `generation`. A
  /// question or message past the bounds is resolved each time.
  mutating func remember(
    _ question: borrowing FilterQuestion, of message: NameBytes, under generation: UInt64
  ) {
    guard !message.isEmpty, message.count <= Self.messageBound,
      question.candidates.count <= Self.candidateBound, question.tags.count <= Self.tagBound
    else { return }
    if places.isEmpty { places = Array(repeating: Place(), count: Self.placeCount) }
    let hash = message.hash(seed: seed)
    var index = Self.firstPlace(hash)
    if places[index].hash != hash, places[index ^ 1].hash == hash || isOlder(index ^ 1, index) {
      index ^= 1
    }
    age += 1
    places[index].age = age
    places[index].hash = hash
    places[index].generation = generation
    places[index].message.removeAll(keepingCapacity: true)
    message.append(to: &places[index].message)
    places[index].question.copy(question)
  }

  private static func firstPlace(_ hash: UInt64) -> Int {
    Int(truncatingIfNeeded: hash) & (placeCount - 1)
  }

  private func isOlder(_ index: Int, _ other: Int) -> Bool { places[index].age < places[other].age }
}
