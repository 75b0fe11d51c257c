import BudgetEngine
import BudgetModel
import NodeFixture
import Reconciliation
import SpendLedger
import Testing

@testable import BudgetFleet

/// The fleet hears of this node's reservations, and they go by others'.
@Suite struct FleetClaimsTests {
  private let key = BudgetKey(scope: .provider, name: "openai", windowText: "1d")
  private let fixture: MemberFixture

  init() throws {
    let definition = BudgetDefinition(
      key: key, windowLength: .seconds(86_400), limit: PicoUSD(dollars: 10))
    fixture = try MemberFixture([definition])
    _ = fixture.member.budgets(otherThan: nil)
  }

  private func use() -> BudgetUse {
    let budget = fixture.engine.catalog.budgets[0]
    return fixture.engine.use(of: budget, at: fixture.time.now())
  }

  private func change(
    _ window: Timestamp?, _ body: (NodeUse, inout NodeClaims) -> Void = { _, _ in }
  ) -> Bool {
    guard let window else { return false }
    var isCalled = false
    fixture.member.changeClaims(of: key, inWindowFrom: window) { use, claims in
      isCalled = true
      body(use, &claims)
    }
    return isCalled
  }

  @Test func claimsOfOthersCount() throws {
    let start = try #require(use().windowStart)
    #expect(fixture.member.budgetsInUse() == [])
    #expect(change(start) { _, claims in claims.others = PicoUSD(dollars: 4) })
    #expect(use().claims.others == PicoUSD(dollars: 4) && use().claims.ceiling == nil)
    #expect(fixture.member.budgetsInUse() == [], "only others claim these budgets")
    #expect(change(start) { _, claims in claims.others = .zero })
    #expect(use().claims == SlotClaims())
  }

  /// A node is told of what ended here once the fleet can have heard of its cost: a pass later.
  @Test func whatEndedElsewhereIsToldAPassLater() throws {
    var ended = EndedElsewhere()
    let one = EndedReservation("r1-1", wasSettled: true)
    ended.add(one, of: "a")
    #expect(ended.take().isEmpty && ended.take() == ["a": [one]] && ended.take().isEmpty)
    for _ in 0...EndedElsewhere.bound { ended.add(one, of: "a") }
    _ = ended.take()
    ended.add(one, of: "b")
    #expect(ended.take()["a"]?.count == EndedElsewhere.bound, "and no more meanwhile")
    #expect(ended.take().isEmpty)
    // Names from the store are anybody's words.
    fixture.member.end([EndedReservation("", wasSettled: true), .init("r1-1", wasSettled: false)])
    #expect(fixture.member.takeEnded().isEmpty && !fixture.member.hasReservations)
  }

  @Test func anotherWindowIsLeftAlone() throws {
    let start = try #require(use().windowStart)
    #expect(!change(Timestamp(unixMilliseconds: start.unixMilliseconds - 1)))
    #expect(change(start))
  }

  @Test func aCeilingIsOfItsWindow() throws {
    let start = try #require(use().windowStart)
    #expect(
      change(start) { _, claims in
        claims.ceiling = PicoUSD(dollars: 3)
        claims.usableUntil = Timestamp(unixMilliseconds: start.unixMilliseconds + 9_000)
      })
    let claims = use().claims
    #expect(claims.ceiling == PicoUSD(dollars: 3) && claims.windowStart == start)
    #expect(claims.usableUntil.unixMilliseconds == start.unixMilliseconds + 9_000)
    #expect(change(start) { _, claims in claims.ceiling = nil })
    #expect(use().claims == SlotClaims())
  }

  @Test func livesThatHaveEndedAreThisNodesToEnd() throws {
    #expect(fixture.member.endedLives == [])
    let first = fixture.member.origin
    let definition = BudgetDefinition(
      key: key, windowLength: .seconds(86_400), limit: PicoUSD(dollars: 10))
    try fixture.restart([definition])
    #expect(fixture.member.endedLives == [first] && fixture.member.origin != first)
  }
}
