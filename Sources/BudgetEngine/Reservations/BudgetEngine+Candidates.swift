public import BudgetModel

/// A filter that reserves: what it wants beside its question, and a lane's scratch for it. Reused
/// from request to request.
public struct CandidateRound: Sendable {
  /// The time.
  public var now: Timestamp
  /// The amount for every candidate; nil: `amounts` has one for each.
  public var usual: ReservedAmount?
  /// The amount for each candidate of the question, in its order; that of a free one is of no
  /// account: nothing is kept back for it.
  public var amounts: [ReservedAmount] = []
  /// How long the reservation lasts, in milliseconds.
  public var ttl = ReservationAsk.defaultTTL
  /// Tells a retry; nil: it is never taken for one.
  public var key: ReservationKey?
  /// Whether the fleet has refused a budget's need a moment ago: then a candidate is passed over that
  /// would have to wait for it. Nil: nobody asks the fleet.
  public var isRefused: (@Sendable (LackingRoom) -> Bool)?
  var attempt = ReservationAttempt()
  var charged = ChargedSlots()

  /// Makes one; the rest is set for each request.
  public init(at now: Timestamp) { self.now = now }

  /// Begins another request. Storage is kept.
  public mutating func begin(at now: Timestamp) {
    self.now = now
    usual = nil
    if !amounts.isEmpty { amounts.removeAll(keepingCapacity: true) }
    ttl = ReservationAsk.defaultTTL
    key = nil
  }

  /// The amount for the candidate at that position.
  public func amount(of candidate: Int) -> ReservedAmount { usual ?? amounts[candidate] }

  /// After `deferred`: the budgets that the fleet is to be asked for.
  public var lacking: [LackingRoom] { attempt.lacking }
}

extension BudgetEngine {
  /// Decides which candidates may be used, by what is spent and kept back, as a filter without an
  /// estimate, and reserves for the first of them that has room for its amount in every budget.
  ///
  /// Those before it leave `decision.allowed`, each with its denials; those behind it stay there. A
  /// retry is answered with the choice that was made before, without a look at any budget. Where names
  /// of the question match patterns, `charges` looks up the budgets of the candidate at a position as
  /// those of a record.
  public func filterAndReserve(
    _ question: borrowing FilterQuestion, _ round: inout CandidateRound, in catalog: BudgetCatalog,
    into decision: inout FilterDecision, charges: (Int, inout ChargedSlots) -> Void
  ) -> ReservationAnswer {
    precondition(
      round.usual != nil || round.amounts.count == question.candidates.count,
      "an amount for each candidate")
    if let key = round.key, let known = known(key) {
      return tell(known, question, into: &decision)
    }
    filter(question, FilterAsking(estimate: .zero, now: round.now), in: catalog, into: &decision)
    var search = CandidateSearch()
    for position in decision.allowed.indices {
      let candidate = Int(decision.allowed[position])
      if search.isHopeless(round.amount(of: candidate), question.candidates[candidate]) {
        search.deny(again: candidate, question, into: &decision)
        continue
      }
      var answer = tryToReserve(candidate, question, &round, in: catalog, charges)
      if answer == .deferred, let isRefused = round.isRefused,
        round.attempt.denyLacking(where: isRefused)
      {
        answer = .denied
      }
      switch answer {
      case .denied: search.note(candidate, question, round, into: &decision)
      case .known: return tell(answer, question, into: &decision)
      case .held, .clash, .regrouped, .outdated, .full, .deferred:
        search.end(behind: position, into: &decision)
        return answer
      }
    }
    search.end(behind: decision.allowed.count, into: &decision)
    reservations.countDenied()
    return .denied
  }

  /// A retry gets its first answer's choice.
  private func tell(
    _ known: ReservationAnswer, _ question: borrowing FilterQuestion,
    into decision: inout FilterDecision
  ) -> ReservationAnswer {
    decision.begin()
    decision.candidateCount = question.candidates.count
    if case .known(let reservation) = known, let candidate = reservation.candidate {
      decision.allowed.append(candidate)
    }
    return known
  }

  private func tryToReserve(
    _ candidate: Int, _ question: borrowing FilterQuestion, _ round: inout CandidateRound,
    in catalog: BudgetCatalog, _ charges: (Int, inout ChargedSlots) -> Void
  ) -> ReservationAnswer {
    round.charged.begin()
    if question.dependsOnPatterns {
      charges(candidate, &round.charged)
      if round.charged.isStale { return .outdated }
    } else {
      round.charged.add(question.candidates[candidate], in: catalog)
      let tags = question.tags.span
      for index in tags.indices { round.charged.addTag(slot: tags[index], in: catalog) }
      round.charged.addTotal(in: catalog)
    }
    let isFree = question.candidates[candidate].isFree
    var ask = ReservationAsk(round.amount(of: candidate), ttl: round.ttl, key: round.key)
    if isFree { ask.amount = ReservedAmount(.zero) }
    round.attempt.maximumDenials = question.maximumDenials
    round.attempt.begin(
      candidate: UInt32(truncatingIfNeeded: candidate), isFree: isFree,
      askingForNames: reservations.asksForNames)
    return tryToReserve(
      ask, over: round.charged, at: ReservationMoment(catalog: catalog, now: round.now),
      with: &round.attempt)
  }
}

/// The way through the candidates of one request.
private struct CandidateSearch {
  /// The candidates that were tried and denied.
  private var denied: [UInt32] = []
  /// The smallest amount that a budget of all candidates has denied, and by whom.
  private var hopeless: ReservedAmount?
  private var common: [BudgetDenial] = []

  /// Whether what all candidates have in common, tags and the total, has no room for `amount` either.
  func isHopeless(_ amount: ReservedAmount, _ candidate: CandidateSlots) -> Bool {
    guard let hopeless, !candidate.isFree, amount.isEstimated == hopeless.isEstimated else {
      return false
    }
    return amount.amount >= hopeless.amount && amount.variance >= hopeless.variance
  }

  mutating func note(
    _ candidate: Int, _ question: borrowing FilterQuestion, _ round: borrowing CandidateRound,
    into decision: inout FilterDecision
  ) {
    denied.append(UInt32(truncatingIfNeeded: candidate))
    for denial in round.attempt.denials { decision.deny(denial, atMost: question.maximumDenials) }
    decision.denialsOmitted += round.attempt.denialsOmitted
    guard round.attempt.isDeniedForAll, !question.candidates[candidate].isFree else { return }
    let denials = round.attempt.denials.filter { $0.scope == .tag || $0.scope == .total }
    // A larger estimate may fit where a smaller one did not: it is cut to what its own provider has left.
    let amount = round.amount(of: candidate)
    guard !amount.isEstimated || denials.contains(where: \.leavesNothing) else { return }
    hopeless = amount
    common = denials
  }

  /// The same budgets deny another candidate.
  mutating func deny(
    again candidate: Int, _ question: borrowing FilterQuestion, into decision: inout FilterDecision
  ) {
    denied.append(UInt32(truncatingIfNeeded: candidate))
    for var denial in common {
      denial.candidate = UInt32(truncatingIfNeeded: candidate)
      decision.deny(denial, atMost: question.maximumDenials)
    }
  }

  /// The candidates that were denied are not allowed; denials come in the candidates' order.
  func end(behind position: Int, into decision: inout FilterDecision) {
    guard !denied.isEmpty else { return }
    // Those that were tried come first in `allowed`, all of them denied.
    decision.allowed.removeFirst(min(position, decision.allowed.count))
    var places = Array(decision.denials.enumerated())
    places.sort { ($0.element.candidate, $0.offset) < ($1.element.candidate, $1.offset) }
    decision.denials = places.map(\.element)
  }
}
