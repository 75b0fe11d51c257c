import Testing

@testable import BudgetModel

@Suite struct BudgetPatternTests {
  private static let day = WindowRule.calendar(CalendarWindows(unit: .day, zone: .utc))
  private static let month = WindowRule.calendar(CalendarWindows(unit: .month, zone: .utc))

  private func pattern(
    _ name: String, _ window: String, scope: BudgetScope = .tag
  ) throws -> BudgetPattern {
    BudgetPattern(
      key: BudgetKey(scope: scope, name: name, windowText: window),
      rule: try WindowRule(text: window),
      policy: BudgetPolicy(limit: nil))
  }

  @Test func theLongestOfEachWindowCounts() throws {
    let configuration = BudgetConfiguration(
      budgets: [
        BudgetDefinition(
          key: BudgetKey(scope: .tag, name: "user:ann", windowText: "24h"),
          rule: try WindowRule(text: "24h"), policy: BudgetPolicy(limit: nil), origin: .own)
      ],
      patterns: [
        try pattern("user:a*", "day"), try pattern("user:*", "day"), try pattern("user:*", "1d"),
        try pattern("*", "month"), try pattern("*", "day"),
        try pattern("*", "week", scope: .model),
      ], deployments: [], directory: .empty)
    func given(_ name: String, _ scope: BudgetScope = .tag) -> [String] {
      configuration.patterns(giving: name, scope: scope).map {
        "\($0.key.name) \($0.key.windowText)"
      }
    }
    #expect(given("user:bob") == ["user:* day", "user:* 1d", "* month"])
    #expect(given("user:al") == ["user:a* day", "user:* 1d", "* month"])
    // A length of its own takes the place of a pattern's of that length, and of no other window.
    #expect(given("user:ann") == ["user:a* day", "* month"])
    #expect(given("user:") == ["user:* day", "user:* 1d", "* month"])
    #expect(given("team") == ["* month", "* day"])
    #expect(given("team", .model) == ["* week"])
    #expect(given("team", .provider).isEmpty)
  }

  @Test func onlyTheSameBytesMatch() throws {
    // One letter in two spellings.
    #expect(!(try pattern("caf\u{E9}*", "day")).matches("cafe\u{301}s"))
    #expect((try pattern("caf\u{E9}*", "day")).matches("caf\u{E9}s"))
    // A prefix that ends before a combining mark begins the name all the same.
    #expect((try pattern("cafe*", "day")).matches("cafe\u{301}"))
  }

  @Test func kindsOfWindows() throws {
    #expect(Self.day.isLike(Self.day) && !Self.day.isLike(Self.month))
    #expect(try WindowRule(text: "1d").isLike(WindowRule(text: "24h")))
    #expect(try !WindowRule(text: "1d").isLike(Self.day))
    #expect(try !WindowRule(text: "30d").isLike(WindowRule(text: "1mo")))
    let elsewhere = ZoneTable(name: "X", firstOffset: 3_600, transitions: [])
    #expect(
      Self.month.isLike(
        .calendar(CalendarWindows(unit: .month, zone: elsewhere, firstDay: 15))))
  }
}
