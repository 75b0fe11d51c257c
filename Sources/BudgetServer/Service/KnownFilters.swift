import BudgetEngine
import BudgetModel
import BudgetWire

/// The questions that filter messages resolved to. Memory: at most 28 MiB, for 4,096 messages of the
/// greatest length; a tenth of it for usual ones.
struct KnownFilters {
  private struct Meaning {
    var question = FilterQuestion()
    /// The configured candidates, where the message gave none of its own.
    var candidates = FilterReply.CandidateList()
  }

  private var memo = MessageMemo(
    placeCount: 4_096, messageBound: Self.messageBound, empty: Meaning())

  static let messageBound = 2_048
  static let candidateBound = 64
  static let candidateByteBound = 4_096
  static let tagBound = 16

  /// Decides the question that `message` stands for under `catalog`, if it is known, and says how
  /// many of its providers are others than the model list's; nil where it is not known. The server's
  /// own candidates are added to `reply`, which is empty.
  mutating func decide(
    _ message: NameBytes, by engine: BudgetEngine, in catalog: BudgetCatalog, at now: Timestamp,
    into decision: inout FilterDecision, _ reply: inout FilterReply
  ) -> Int? {
    guard let place = memo.place(of: message, under: catalog.generation) else { return nil }
    return memo.withMeaning(at: place) { meaning in
      engine.filter(meaning.question, in: catalog, at: now, into: &decision)
      if meaning.candidates.count > 0 { reply.addCandidates(meaning.candidates) }
      return meaning.question.contradictions
    }
  }

  /// Remembers `question`, and the candidates that the server supplied, as what `message` stands for
  /// under the configuration `generation`. What is past the bounds is resolved each time.
  mutating func remember(
    _ question: borrowing FilterQuestion, _ candidates: borrowing FilterReply.CandidateList,
    of message: NameBytes, under generation: UInt64
  ) {
    guard question.candidates.count <= Self.candidateBound, question.tags.count <= Self.tagBound,
      candidates.byteCount <= Self.candidateByteBound
    else { return }
    memo.remember(message, under: generation) { meaning in
      meaning.question.copy(question)
      meaning.candidates.copy(candidates)
    }
  }
}
