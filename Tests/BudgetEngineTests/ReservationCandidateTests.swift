import BudgetModel
import SeededRandom
import Testing

@testable import BudgetEngine

/// Filters that reserve.
@Suite struct ReservationCandidateTests {
  private struct Asked {
    var provider: String
    var deployment: String
    var amount: Int128
    var isFree = false
    var isEstimated = false
  }

  private func ask(
    _ fixture: EngineFixture, _ candidates: [Asked], tags: [String],
    key: ReservationKey? = nil, refusing: (@Sendable (LackingRoom) -> Bool)? = nil,
    at now: Timestamp
  ) -> (answer: ReservationAnswer, decision: FilterDecision) {
    let catalog = fixture.engine.catalog
    var question = FilterQuestion()
    question.begin()
    for asked in candidates {
      var slots = NameBytes.with(asked.provider) { provider in
        NameBytes.with(asked.deployment) {
          catalog.candidate(CandidateNames(id: $0, model: .absent, provider: provider))
        }
      }
      slots.isFree = asked.isFree
      question.add(slots)
    }
    for tag in tags {
      if let slot = NameBytes.with(tag, { catalog.tagSlot($0) }) { question.addTag(slot: slot) }
    }
    var round = CandidateRound(at: now)
    round.amounts = candidates.map {
      ReservedAmount(PicoUSD(pico: $0.amount), isEstimated: $0.isEstimated)
    }
    round.key = key
    round.isRefused = refusing
    var decision = FilterDecision()
    let answer = fixture.engine.filterAndReserve(
      question, &round, in: catalog, into: &decision
    ) { _, _ in
      Issue.record("no pattern has a say")
    }
    return (answer, decision)
  }

  /// In a fleet the first choice is waited for; refused, the next one is tried, and waited for.
  @Test func aChoiceThatTheFleetRefusesIsPassedOver() throws {
    let fixture = EngineFixture([
      try budget(.provider, "a", 10, "1d"), try budget(.provider, "b", 100, "1d"),
      try budget(.tag, "t", 60, "1d"),
    ])
    let budgets = fixture.engine.catalog.budgets
    for budget in budgets {
      fixture.engine.changeClaims(of: budget, at: at(0)) { _, claims in claims.ceiling = .zero }
    }
    let candidates = ["a", "b"].map { Asked(provider: $0, deployment: "", amount: 6) }
    #expect(ask(fixture, candidates, tags: ["t"], at: at(0)).answer == .deferred)
    // Of the tag, which all have in common, nothing is known yet: it keeps nobody out.
    let first = NameBytes.with("a") { fixture.engine.catalog.budget(.provider, $0) }
    let slot = try #require(first).slot
    let refused: @Sendable (LackingRoom) -> Bool = { $0.slot == slot && $0.needed.pico == 6 }
    #expect(ask(fixture, candidates, tags: ["t"], refusing: refused, at: at(0)).answer == .deferred)
    for budget in budgets where budget.definition.key.name != "a" {
      fixture.engine.changeClaims(of: budget, at: at(0)) { _, claims in
        claims.ceiling = PicoUSD(pico: 6)
      }
    }
    let chosen = ask(fixture, candidates, tags: ["t"], refusing: refused, at: at(0))
    guard case .held(let held) = chosen.answer else {
      Issue.record("\(chosen.answer)")
      return
    }
    #expect(held.candidate == 1 && chosen.decision.allowed == [1])
    let denial = try #require(chosen.decision.denials.first)
    // Nobody has told this node of a claim; that it was refused says that there is one.
    #expect(denial.candidate == 0 && denial.spend + PicoUSD(pico: 6) > denial.limit)
    #expect(fixture.engine.reservationCounts.denied == 0, "another candidate was chosen")
  }

  /// A request counts once, whether its candidates were tried or all of them over budget before.
  @Test func aRequestIsDeniedOnce() throws {
    let fixture = EngineFixture([
      try budget(.provider, "a", 10, "1d"), try budget(.provider, "b", 10, "1d"),
    ])
    let candidates = ["a", "b"].map { Asked(provider: $0, deployment: "", amount: 11) }
    #expect(ask(fixture, candidates, tags: [], at: at(0)).answer == .denied)
    #expect(fixture.engine.reservationCounts.denied == 1)
    for provider in ["a", "b"] { fixture.record(10, provider: provider, at: at(1)) }
    #expect(ask(fixture, candidates, tags: [], at: at(1)).answer == .denied)
    #expect(fixture.engine.reservationCounts.denied == 2)
    #expect(fixture.reserve(11, fixture.charged(provider: "a"), at: at(1)) == .denied)
    #expect(fixture.engine.reservationCounts.denied == 3)
  }

  /// An estimate is cut to what its own provider has left, so that a larger one may fit where a smaller
  /// one did not.
  @Test func aSmallerEstimateThatWasDeniedHidesNoCandidate() throws {
    let fixture = EngineFixture([
      try budget(.provider, "a", 1_000, "1d"), try budget(.provider, "b", 20, "1d"),
      try budget(.tag, "t", 100, "1d"),
    ])
    _ = try #require(fixture.held(70, fixture.charged(tags: ["t"]), at: at(0)))
    let candidates = [
      Asked(provider: "a", deployment: "", amount: 100, isEstimated: true),
      Asked(provider: "b", deployment: "", amount: 200, isEstimated: true),
    ]
    guard case .held(let held) = ask(fixture, candidates, tags: ["t"], at: at(1)).answer else {
      Issue.record("b has room for 20")
      return
    }
    #expect(held.candidate == 1 && held.amount.pico == 20)
    // With nothing left at all no estimate fits.
    _ = try #require(fixture.held(10, fixture.charged(tags: ["t"]), at: at(1)))
    let (answer, decision) = ask(fixture, candidates, tags: ["t"], at: at(1))
    #expect(answer == .denied && decision.allowed.isEmpty)
  }

  @Test func theFirstCandidateWithRoomIsReserved() throws {
    let fixture = EngineFixture([
      try budget(.provider, "a", 10, "1d"), try budget(.provider, "b", 100, "1d"),
      try budget(.tag, "t", 60, "1d"),
    ])
    let candidates = [
      Asked(provider: "a", deployment: "", amount: 20),
      Asked(provider: "b", deployment: "", amount: 40),
      Asked(provider: "c", deployment: "", amount: 1),
    ]
    let (answer, decision) = ask(
      fixture, candidates, tags: ["t"], key: ReservationKey(digest: 9, fingerprint: 1), at: at(0))
    guard case .held(let held) = answer else {
      Issue.record("\(answer)")
      return
    }
    #expect(held.candidate == 1 && held.amount.pico == 40)
    #expect(decision.allowed == [1, 2])
    #expect(decision.denials.map(\.candidate) == [0])
    #expect(fixture.reserved(.provider, "a", at: at(0)) == 0)
    #expect(fixture.reserved(.provider, "b", at: at(0)) == 40)
    #expect(fixture.reserved(.tag, "t", at: at(0)) == 40)
    // A retry gets the same choice, though there is less room.
    let again = ask(
      fixture, candidates, tags: ["t"], key: ReservationKey(digest: 9, fingerprint: 1), at: at(1))
    #expect(again.answer == .known(held))
    #expect(again.decision.allowed == [1])
    // Twenty are left of the tag: the cheap one it is.
    let third = ask(fixture, candidates, tags: ["t"], at: at(1))
    guard case .held(let cheap) = third.answer else {
      Issue.record("\(third.answer)")
      return
    }
    #expect(cheap.candidate == 2)
    #expect(third.decision.allowed == [2])
    #expect(third.decision.denials.map(\.candidate) == [0, 1])
  }

  @Test func aFreeCandidateNeedsNoRoom() throws {
    let fixture = EngineFixture([try budget(.tag, "t", 10, "1d")])
    let candidates = [
      Asked(provider: "a", deployment: "", amount: 20),
      Asked(provider: "b", deployment: "", amount: 30),
      Asked(provider: "c", deployment: "", amount: 50, isFree: true),
    ]
    let (answer, decision) = ask(fixture, candidates, tags: ["t"], at: at(0))
    guard case .held(let held) = answer else {
      Issue.record("\(answer)")
      return
    }
    #expect(held.candidate == 2 && held.amount == .zero)
    #expect(decision.denials.map(\.candidate) == [0, 1])
    #expect(fixture.reserved(.tag, "t", at: at(0)) == 0)
  }

  @Test func nothingFitsAndEveryCandidateIsDenied() throws {
    let fixture = EngineFixture([try budget(.tag, "t", 10, "1d")])
    let candidates = (0..<4).map { Asked(provider: "p\($0)", deployment: "", amount: 20) }
    let (answer, decision) = ask(fixture, candidates, tags: ["t"], at: at(0))
    #expect(answer == .denied)
    #expect(decision.isExhausted)
    #expect(decision.denials.map(\.candidate) == [0, 1, 2, 3])
    #expect(fixture.engine.openReservations == 0)
  }

  @Test func theChoiceIsTheOneThatAnOracleMakes() throws {
    var random = SeededRandom(seed: .random(in: .min ... .max))
    let seed = random.seed
    for _ in 0..<250 {
      let (budgets, limits) = try someBudgets(&random)
      let fixture = EngineFixture(budgets)
      var kept: [String: Int128] = [:]
      for _ in 0..<40 {
        let candidates = (0..<1 + random.below(4)).map { _ in
          Asked(
            provider: "p\(random.below(3))", deployment: "", amount: Int128(random.below(40)),
            isFree: random.chance(0.1))
        }
        let tags = (0..<random.below(3)).map { _ in "t\(random.below(3))" }
        func fits(_ asked: Asked) -> Bool {
          let names = [asked.provider] + (asked.isFree ? [] : tags)
          return names.allSatisfy { name in
            guard let limit = limits[name] else { return true }
            let used = kept[name] ?? 0
            let amount = asked.isFree ? 0 : asked.amount
            return limit > 0 && used < limit && used + amount <= limit
          }
        }
        let expected = candidates.firstIndex(where: fits)
        let (answer, decision) = ask(fixture, candidates, tags: tags, at: at(0))
        guard let expected else {
          #expect(answer == .denied && decision.isExhausted, "seed \(seed)")
          continue
        }
        guard case .held(let held) = answer else {
          Issue.record("seed \(seed): \(answer) in place of \(expected)")
          return
        }
        #expect(held.candidate == UInt32(expected), "seed \(seed)")
        let chosen = candidates[expected]
        if chosen.isFree { continue }
        for name in Set([chosen.provider] + tags) { kept[name, default: 0] += chosen.amount }
      }
    }
  }

  private func someBudgets(
    _ random: inout SeededRandom
  ) throws -> ([BudgetDefinition], [String: Int128]) {
    var budgets: [BudgetDefinition] = []
    var limits: [String: Int128] = [:]
    for (scope, letter) in [(BudgetScope.provider, "p"), (.tag, "t")] {
      for number in 0..<3 where random.chance(0.7) {
        let limit = Int128(random.below(300))
        limits["\(letter)\(number)"] = limit
        budgets.append(try budget(scope, "\(letter)\(number)", limit, "1d"))
      }
    }
    return (budgets, limits)
  }
}
