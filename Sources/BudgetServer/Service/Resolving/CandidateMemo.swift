import BudgetEngine
import BudgetModel
import BudgetWire

/// The questions that were asked before. Routers ask about the same candidates again and again,
/// mostly with other tags each time, so a list of candidates is known byte by byte, as it stands in
/// the message; and a message that comes again as a whole, tags and all, is known as a whole. The
/// configured candidates of a model are known by its name.
///
/// Memory: nothing at first; at most 64 MiB, for 4,096 lists and 4,096 messages of the greatest
/// length, and a tenth of it for usual ones.
struct CandidateMemo {
  private struct List {
    var slots: [CandidateSlots] = []
    /// How many of them contradict the model list.
    var contradictions = 0
    var hasFree = false
    var hasEstimates = false
    /// The configured candidates, as they go out; none where the message gave its own.
    var configured = FilterReply.CandidateList()
  }

  /// The question of a whole message.
  private struct Message {
    var question = FilterQuestion()
    /// The configured candidates, as they go out.
    var configured = FilterReply.CandidateList()
    var asked = AskedCandidates.list(length: 0)
    /// The wish to reserve, without a key: one with a key comes once.
    var reserve = ReserveTerms()
    var hasEstimates = false
  }

  private var lists = MessageMemo(placeCount: 4_096, partBound: 4_096, empty: List())
  private var messages = MessageMemo(placeCount: 4_096, partBound: 2_048, empty: Message())

  private static let candidateBound = 64
  private static let tagBound = 16
  private static let configuredByteBound = 4_096

  /// A list as it is looked for; nil if it is not looked for.
  @inline(__always)
  mutating func sought(list: NameBytes, under generation: UInt64) -> SoughtPart? {
    lists.sought(list, under: generation)
  }

  /// A whole message as it is looked for; nil if it is not looked for.
  @inline(__always)
  mutating func sought(message: NameBytes, under generation: UInt64) -> SoughtPart? {
    messages.sought(message, under: generation)
  }

  /// The place of the question of `message`, if it is known. The configured candidates that it asks
  /// for are added to the reply of `filter`, which gets the wish to reserve as well.
  @inline(__always)
  mutating func place(
    ofMessage message: SoughtPart, into filter: inout FilterInProgress
  ) -> (place: Int, candidates: AskedCandidates)? {
    guard let place = messages.place(of: message) else { return nil }
    let candidates = messages.withMeaning(at: place) { meaning in
      if meaning.configured.count > 0 { filter.reply.addCandidates(meaning.configured) }
      if meaning.reserve.isWanted {
        filter.reserve = meaning.reserve
        filter.hasEstimates = meaning.hasEstimates
      }
      return meaning.asked
    }
    return (place, candidates)
  }

  /// Lends the question at `place`.
  @inline(__always)
  mutating func withQuestion<Result>(
    at place: Int, _ body: (borrowing FilterQuestion) -> Result
  ) -> Result {
    messages.withMeaning(at: place) { body($0.question) }
  }

  /// Remembers what `message` asks. `filter` is lent, so that it is not copied, and stays as it is.
  mutating func remember(
    message: SoughtPart, as filter: inout FilterInProgress, _ candidates: AskedCandidates
  ) {
    guard filter.question.candidates.count <= Self.candidateBound,
      filter.question.tags.count <= Self.tagBound,
      filter.reply.candidateByteCount <= Self.configuredByteBound,
      let place = messages.placeToWrite(message)
    else { return }
    messages.withMeaning(at: place) { meaning in
      meaning.question.copy(filter.question)
      filter.reply.copyCandidates(to: &meaning.configured)
      meaning.asked = candidates
      meaning.reserve = filter.reserve
      meaning.hasEstimates = filter.hasEstimates
    }
  }

  /// Adds what `list` stands for to a question and a reply, if it is known; says whether.
  @inline(__always)
  mutating func recall(_ list: SoughtPart, into filter: inout FilterInProgress) -> Bool {
    guard let place = lists.place(of: list) else { return false }
    lists.withMeaning(at: place) { meaning in
      filter.question.add(
        contentsOf: meaning.slots, contradictions: meaning.contradictions,
        hasFree: meaning.hasFree)
      if meaning.configured.count > 0 { filter.reply.addCandidates(meaning.configured) }
      if meaning.hasEstimates { filter.hasEstimates = true }
    }
    return true
  }

  /// Remembers what `list` stands for: the candidates that are in the question and, where the server
  /// supplied them, in the reply. `filter` is lent.
  mutating func remember(list: SoughtPart, as filter: inout FilterInProgress) {
    guard filter.question.candidates.count <= Self.candidateBound,
      filter.reply.candidateByteCount <= Self.configuredByteBound,
      let place = lists.placeToWrite(list)
    else { return }
    lists.withMeaning(at: place) { meaning in
      meaning.slots.removeAll(keepingCapacity: true)
      meaning.slots.append(contentsOf: filter.question.candidates)
      meaning.contradictions = filter.question.contradictions
      meaning.hasFree = filter.question.hasFree
      meaning.hasEstimates = filter.hasEstimates
      filter.reply.copyCandidates(to: &meaning.configured)
    }
  }
}

/// Whose candidates a message asks about.
enum AskedCandidates {
  /// Its own, which stand in its first bytes.
  case list(length: Int)
  /// Those of the model list, by their places in it.
  case configured(ArraySlice<Int32>)
}

/// A filter on its way: what is asked of the engine, and the reply as it grows. Reused from request
/// to request.
struct FilterInProgress {
  var question = FilterQuestion()
  /// The wish to reserve; the rest of it is of the last request that wanted to.
  var reserve = ReserveTerms()
  /// Whether some candidate comes with an estimate of its own.
  var hasEstimates = false
  var reply: FilterReply
}
