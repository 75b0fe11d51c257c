import BudgetEngine
import BudgetModel
import Locks
import NodeFixture
import Reconciliation
import Testing

@testable import BudgetFleet

/// Who says how much may be reserved without asking: the fleet, or an outage policy.
@Suite struct CeilingTests {
  private let key = BudgetKey(scope: .provider, name: "openai", windowText: "1h")

  private func fixture(_ change: (inout FleetOptions) -> Void = { _ in }) throws -> MemberFixture {
    let fixture = try MemberFixture(
      [try providerBudget("openai", 1_000), try providerBudget("azure", 1_000)], change)
    _ = fixture.member.budgets(otherThan: nil)
    fixture.member.changing.withLock { _ in fixture.member.placeCeilings() }
    return fixture
  }

  private func claims(_ fixture: MemberFixture, _ name: String = "openai") -> SlotClaims? {
    let budget = fixture.engine.catalog.budgets.first { $0.definition.key.name == name }
    return budget.map { fixture.engine.use(of: $0, at: fixture.time.now()).claims }
  }

  private func ceiling(_ fixture: MemberFixture, _ name: String = "openai") -> Int128? {
    claims(fixture, name)?.ceiling?.pico
  }

  /// The fleet grants so much.
  private func grant(_ pico: Int128, _ fixture: MemberFixture) {
    let start = MemberFixture.start
    fixture.member.changeClaims(of: key, inWindowFrom: start) { use, claims in
      claims.ceiling = use.total + PicoUSD(pico: pico)
      claims.usableUntil = Timestamp(unixMilliseconds: start.unixMilliseconds + 9_000)
    }
  }

  @Test func everyBudgetHasACeilingOfNothingAtFirst() throws {
    let shared = try #require(SharedBudgets("provider:az*"))
    let fixture = try fixture { $0.reservations.shared = [shared] }
    #expect(ceiling(fixture) == 0 && ceiling(fixture, "azure") == nil)
    #expect(fixture.member.budgetsInUse().isEmpty, "a ceiling of nothing is no use")
    let budgets = try #require(fixture.member.budgets(otherThan: nil)).budgets
    #expect(budgets.map(\.mode) == [.strict, .shared] && budgets.allSatisfy(\.isBounding))
    #expect(try self.fixture { $0.reservations.mode = .shared }.member.budgetsInUse().isEmpty)
  }

  /// Of names' budgets the fleet is asked while it can be, unless nobody's reservations ask it.
  @Test func ofNamesBudgetsTheFleetIsAsked() throws {
    func asks(_ fixture: MemberFixture) -> Bool { fixture.engine.asksForNames }
    #expect(try asks(self.fixture()))
    #expect(try !asks(self.fixture { $0.reservations.mode = .shared }))
    let fixture = try fixture()
    fixture.member.setCeilings(by: .nobody)
    #expect(!asks(fixture))
    fixture.member.setCeilings(by: .fleet)
    #expect(asks(fixture))
  }

  @Test func aBudgetThatWentLeavesNothing() throws {
    let fixture = try fixture()
    grant(100, fixture)
    #expect(fixture.member.budgetsInUse() == [key])
    _ = fixture.engine.reload(
      BudgetConfiguration(
        budgets: [try providerBudget("azure", 1_000)], deployments: [], directory: .empty),
      at: fixture.time.now())
    fixture.member.reloaded()
    #expect(fixture.member.budgetsInUse().isEmpty && ceiling(fixture, "azure") == 0)
  }

  @Test func aLimitThatIsChangedWhileItRunsIsTheFleets() throws {
    let fixture = try fixture()
    let edition = fixture.engine.catalogEdition
    #expect(fixture.member.budgets(otherThan: edition) == nil)
    let now = fixture.time.now()
    PolicyChanging(of: fixture.engine).enforce(
      BudgetChange(
        .init(.limit, key), .limit(PicoUSD(pico: 700)),
        by: ChangeAuthor(name: "test", place: ""), at: now,
        version: ChangeVersion(milliseconds: 1, node: "n")), at: now)
    let budgets = try #require(fixture.member.budgets(otherThan: edition)).budgets
    #expect(budgets.first?.limit?.pico == 700)
  }

  @Test func aCeilingOfAnotherWindowIsNoSurplus() throws {
    let fixture = try fixture()
    grant(100, fixture)
    fixture.advance(.seconds(3_700))
    #expect(fixture.record(1, provider: "openai"))
    let budget = fixture.engine.catalog.budgets[0]
    let start = try #require(fixture.engine.use(of: budget, at: fixture.time.now()).windowStart)
    var seen: PicoUSD?
    fixture.member.changeClaims(of: key, inWindowFrom: start) { _, claims in seen = claims.ceiling }
    #expect(start != MemberFixture.start && seen == .zero)
  }

  @Test func whatTheFleetGrantedHoldsForNineSeconds() throws {
    let fixture = try fixture { $0.policy = .open }
    fixture.member.passSucceeded(nodes: 2)
    grant(100, fixture)
    fixture.advance(.seconds(9))
    fixture.member.look()
    #expect(ceiling(fixture) == 100 && fixture.member.storeState == "partitioned")
    fixture.advance(.milliseconds(1))
    fixture.member.look()
    // Open: by what this node knows.
    #expect(ceiling(fixture) == nil)
    fixture.member.passSucceeded(nodes: 2)
    #expect(ceiling(fixture) == 0)
  }

  @Test func shareGivesOutItsPartOnceInAWindow() throws {
    let fixture = try fixture { $0.policy = .share }
    fixture.member.passSucceeded(nodes: 4)
    grant(100, fixture)
    #expect(fixture.record(200, provider: "openai"))
    fixture.advance(.seconds(10))
    fixture.member.look()
    // A quarter of 800, above what is spent here.
    #expect(ceiling(fixture) == 400)
    #expect(fixture.record(100, provider: "openai"))
    fixture.member.look()
    #expect(ceiling(fixture) == 400)
    // A call that nobody answers takes nothing of it away, and claims none of it.
    fixture.member.changeClaims(of: key, inWindowFrom: MemberFixture.start) { use, claims in
      #expect(claims.surplus(beyond: use, at: fixture.time.now()) == .zero)
      claims.lower(to: use, keeping: .zero)
    }
    #expect(ceiling(fixture) == 400)
    // In the next window there is another part.
    fixture.advance(.seconds(3_600))
    #expect(fixture.record(8, provider: "openai"))
    fixture.member.look()
    // A quarter of 992, above eight.
    #expect(ceiling(fixture) == 256)
    fixture.member.passSucceeded(nodes: 4)
    #expect(ceiling(fixture) == 0)
  }

  /// A limit that is lowered during an outage lowers the part, one that is raised raises it.
  @Test(arguments: [Int128(400), 2_000])
  func shareFollowsALimitThatIsChanged(limit: Int128) throws {
    let fixture = try fixture { $0.policy = .share }
    fixture.member.passSucceeded(nodes: 4)
    #expect(fixture.record(200, provider: "openai"))
    fixture.advance(.seconds(10))
    fixture.member.look()
    // A quarter of 800, above 200 that are spent.
    #expect(ceiling(fixture) == 400)
    let now = fixture.time.now()
    PolicyChanging(of: fixture.engine).enforce(
      BudgetChange(
        .init(.limit, key), .limit(PicoUSD(pico: limit)),
        by: ChangeAuthor(name: "test", place: ""), at: now,
        version: ChangeVersion(milliseconds: 1, node: "n")), at: now)
    fixture.member.look()
    let expected = 200 + (limit - 200) / 4
    #expect(ceiling(fixture) == expected)
    fixture.member.look()
    #expect(ceiling(fixture) == expected, "once")
    // Filters leave the others their parts of the same limit.
    let budget = fixture.engine.catalog.budgets[0]
    #expect(fixture.engine.use(of: budget, at: now).withheld.pico == limit - expected)
  }

  @Test func closedGivesOutNothing() throws {
    let fixture = try fixture { $0.policy = .closed }
    fixture.member.passSucceeded(nodes: 2)
    grant(100, fixture)
    fixture.advance(.seconds(10))
    fixture.member.look()
    let until = try #require(claims(fixture)).usableUntil
    #expect(ceiling(fixture) == 100 && until < fixture.time.now())
  }

  @Test func aStoreThatMayNotKeepClaimsIsNotAsked() throws {
    let fixture = try fixture()
    var report = PassReport()
    report.claimsRefusal = "NOPERM"
    fixture.member.noteClaims(report)
    #expect(ceiling(fixture) == nil && fixture.member.status.claims.areRefused)
    report.claimsRefusal = nil
    report.claimed = 3
    report.learning = 1
    report.isOfPass = false
    fixture.member.noteClaims(report)
    #expect(ceiling(fixture) == 0)
    let claims = fixture.member.status.claims
    #expect(claims.told == 3 && claims.learning == 1 && claims.onDemand == 1)
  }

  @Test func sharedBudgetsAreNamedByScopeAndName() throws {
    func names(_ text: String, _ scope: BudgetScope, _ name: String) throws -> Bool {
      try #require(SharedBudgets(text)).contains(
        BudgetKey(scope: scope, name: name, windowText: "1d"))
    }
    #expect(try names("tag", .tag, "x") && names("tag:a*", .tag, "ab"))
    #expect(try names("total", .total, ""))
    #expect(try names("model:a:b", .model, "a:b") && !names("tag:a", .tag, "ab"))
    #expect(try !names("tag:b*", .tag, "ab") && !names("tag", .provider, "x"))
    for text in ["", "tags", "tag:", "*", ":x"] { #expect(SharedBudgets(text) == nil) }
  }
}
