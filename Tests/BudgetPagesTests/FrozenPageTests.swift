import BudgetModel
import Foundation
import NodeFixture
import Testing

@testable import BudgetEngine
@testable import BudgetPages

/// Freezes and budgets that only watch: nobody who looks at a page is told that all is well.
@Suite struct FrozenPageTests {
  private static let now = MemberFixture.start

  private static func change(
    _ scope: BudgetScope, _ name: String, _ mode: BudgetMode = .freeze
  ) -> BudgetChange {
    BudgetChange(
      .init(.mode, BudgetKey(scope: scope, name: name, windowText: "")), .mode(mode),
      reason: "stop", by: ChangeAuthor(name: "ops", place: ""), at: now,
      version: ChangeVersion(milliseconds: 1, node: "n"))
  }

  /// A provider, a tag, and a dollar a day for each user.
  private func fixture(_ mode: BudgetMode = .enforce) throws -> PageFixture {
    let pattern = BudgetPattern(
      key: BudgetKey(scope: .tag, name: "user:*", windowText: "day"),
      rule: try WindowRule(text: "day"),
      policy: BudgetPolicy(limit: PicoUSD(dollars: 1), mode: mode))
    return PageFixture(
      [try PageFixture.budget(.provider, "openai", 10), try PageFixture.budget(.tag, "t", 5)],
      patterns: [pattern])
  }

  private func json(_ fixture: PageFixture) throws -> [String: Any] {
    try #require(
      try JSONSerialization.jsonObject(with: Data(fixture.status)) as? [String: Any])
  }

  private func count(_ status: [String: Any], _ scope: String, _ what: String) -> Int? {
    (status["counts"] as? [String: [String: Int]])?[scope]?[what]
  }

  private func rows(_ status: [String: Any]) throws -> [[String: Any]] {
    try #require(status["budgets"] as? [[String: Any]])
  }

  private func reasons(_ status: [String: Any]) throws -> [String] {
    let denials = try #require(status["denials"] as? [String: Any])
    let listed = try #require(denials["in_force"] as? [[String: Any]])
    #expect(denials["total"] as? Int == listed.count)
    return listed.compactMap { $0["reason"] as? String }
  }

  private func frozen(_ fixture: PageFixture) -> [String] {
    fixture.metrics.filter { $0.hasPrefix("budgetd_budget_frozen{") }
  }

  @Test func aFreezeOfANameWithoutABudgetIsSeen() throws {
    let fixture = try fixture()
    let policies = PolicyChanging(of: fixture.engine)
    #expect(try reasons(json(fixture)) == [] && frozen(fixture) == [])
    policies.enforce(Self.change(.total, "total"), at: Self.now)
    policies.enforce(Self.change(.provider, "mistral"), at: Self.now)
    let status = try json(fixture)
    #expect(count(status, "total", "frozen_names") == 1 && count(status, "total", "frozen") == 0)
    #expect(count(status, "provider", "frozen_names") == 1)
    #expect(count(status, "provider", "budgets") == 1, "it has no budget")
    #expect(
      try reasons(status) == [
        "provider mistral is frozen: nothing of it is allowed until that is lifted",
        "everything is frozen: nothing is allowed until that is lifted",
      ])
    // The rows on which it can be lifted come first.
    let first = try rows(status).prefix(2)
    #expect(first.map { $0["name"] as? String } == ["mistral", "total"])
    #expect(first.allSatisfy { $0["window"] as? String == "" && $0["mode"] as? String == "freeze" })
    #expect(
      frozen(fixture) == [
        #"budgetd_budget_frozen{scope="provider",name="mistral",window=""} 1"#,
        #"budgetd_budget_frozen{scope="total",name="total",window=""} 1"#,
      ])
    policies.end(Self.change(.total, "total").register, at: Self.now)
    policies.end(Self.change(.provider, "mistral").register, at: Self.now)
    #expect(try rows(json(fixture)).count == 3 && frozen(fixture) == [])
  }

  @Test func aFrozenPatternIsSeen() throws {
    let fixture = try fixture()
    PolicyChanging(of: fixture.engine).enforce(Self.change(.tag, "user:*"), at: Self.now)
    let status = try json(fixture)
    #expect(count(status, "tag", "frozen") == 1 && count(status, "tag", "budgets") == 2)
    #expect(
      try reasons(status) == [
        "tag user:* is frozen: nothing of it is allowed until that is lifted"
      ])
    #expect(try rows(status).first?["mode"] as? String == "freeze")
    #expect(
      frozen(fixture) == [#"budgetd_budget_frozen{scope="tag",name="user:*",window="day"} 1"#])
  }

  /// Labels are made once a configuration; limits and modes are those in force.
  @Test func metricsFollowAChangeAtOnce() throws {
    let fixture = try fixture()
    #expect(frozen(fixture) == [])
    PolicyChanging(of: fixture.engine).enforce(Self.change(.provider, "openai"), at: Self.now)
    #expect(
      frozen(fixture) == [#"budgetd_budget_frozen{scope="provider",name="openai",window="1d"} 1"#])
  }

  /// A frozen budget has not run out, and one that only watches denies nothing.
  @Test func theFrozenAndTheWatchingAreNotExhausted() throws {
    let fixture = try fixture()
    let policies = PolicyChanging(of: fixture.engine)
    policies.enforce(Self.change(.provider, "openai"), at: Self.now)
    policies.enforce(Self.change(.tag, "t", .shadow), at: Self.now)
    let status = try json(fixture)
    #expect(count(status, "provider", "frozen") == 1 && count(status, "provider", "exhausted") == 0)
    #expect(fixture.metrics.contains(#"budgetd_budgets_exhausted{scope="provider"} 0"#))
    #expect(
      fixture.metrics.contains(
        #"budgetd_budget_exhausted{scope="provider",name="openai",window="1d"} 0"#))
    // A limit of 0 that only watches gives what is asked for.
    var report = BudgetReport(
      key: BudgetKey(scope: .tag, name: "t", windowText: "1d"), limit: .zero, mode: .shadow,
      spend: .zero, ownSpend: .zero, charged: .zero)
    #expect(!StatusBudget.isClosed(report))
    report.mode = .enforce
    #expect(StatusBudget.isClosed(report))
    let row = try #require(try rows(status).first { $0["name"] as? String == "t" })
    #expect(row["mode"] as? String == "shadow" && row["would_have_denied"] as? Int == 0)
  }

  @Test func whatAPatternWouldHaveDeniedIsCounted() throws {
    let fixture = try fixture(.shadow)
    let slot = fixture.engine.catalog.patterns.overflows[0]
    for _ in 0..<3 { fixture.engine.shards.countShadowed(slot) }
    #expect(
      fixture.metrics.contains(
        #"budgetd_budget_shadow_denials_total{scope="tag",name="user:*",window="day"} 3"#))
    let row = try #require(try rows(json(fixture)).first { $0["name"] as? String == "user:*" })
    #expect(row["would_have_denied"] as? Int == 3 && row["mode"] as? String == "shadow")
  }
}
