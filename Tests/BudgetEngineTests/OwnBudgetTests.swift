import BudgetModel
import Testing

@testable import BudgetEngine

/// Budgets that LiteLLM has no words for: several windows on a name, calendars, models, pools,
/// everything together, and what happens at the limit.
struct OwnBudgetTests {
  private static let hour: Int64 = 3_600_000
  private static let day: Int64 = 86_400_000

  private static func own(
    _ scope: BudgetScope, _ name: String, _ limit: Int128?, _ window: String,
    _ mode: BudgetMode = .enforce
  ) throws -> BudgetDefinition {
    BudgetDefinition(
      key: BudgetKey(scope: scope, name: name, windowText: window),
      rule: try WindowRule(text: window),
      policy: BudgetPolicy(limit: limit.map { PicoUSD(pico: $0) }, mode: mode), origin: .own)
  }

  private static func liteLLM(_ name: String, _ limit: Int128, _ window: String) throws
    -> BudgetDefinition
  {
    BudgetDefinition(
      key: BudgetKey(scope: .provider, name: name, windowText: window),
      windowLength: try WindowLength(text: window), limit: PicoUSD(pico: limit))
  }

  private static func deployment(
    _ id: String, _ modelName: String, _ provider: String?, isFree: Bool = false
  ) -> ConfiguredDeployment {
    ConfiguredDeployment(
      id: id, modelName: modelName, model: "\(provider ?? "x")/m", provider: provider,
      isFree: isFree)
  }

  /// An engine with budgets, in the right order, and what asks and charges it.
  private struct House {
    let engine: BudgetEngine

    init(
      _ budgets: [BudgetDefinition], _ deployments: [ConfiguredDeployment] = [],
      pools: [PoolMembers] = [], aliases: [String: String] = [:], at now: Int64 = 0
    ) {
      engine = BudgetEngine(restoring: [])
      reload(budgets, deployments, pools: pools, aliases: aliases, at: now)
    }

    @discardableResult
    func reload(
      _ budgets: [BudgetDefinition], _ deployments: [ConfiguredDeployment] = [],
      pools: [PoolMembers] = [], aliases: [String: String] = [:], at now: Int64 = 0
    ) -> ReloadReport {
      let ordered = BudgetScope.inOrder.flatMap { scope in
        budgets.filter { $0.key.scope == scope }
      }
      return engine.reload(
        BudgetConfiguration(
          budgets: ordered, pools: pools, deployments: deployments, aliases: aliases,
          directory: .empty), at: Timestamp(unixMilliseconds: now))
    }

    private func slots(_ id: String, _ modelName: String, _ provider: String) -> CandidateSlots {
      NameBytes.with(id) { id in
        NameBytes.with(modelName) { modelName in
          NameBytes.with(provider) { provider in
            engine.catalog.candidate(
              CandidateNames(id: id, modelName: modelName, model: .absent, provider: provider))
          }
        }
      }
    }

    func record(
      _ pico: Int128, id: String = "", modelName: String = "", provider: String = "",
      tags: [String] = [], at now: Int64
    ) {
      let catalog = engine.catalog
      var charged = ChargedSlots()
      charged.add(slots(id, modelName, provider), in: catalog)
      for tag in tags {
        if let slot = NameBytes.with(tag, { catalog.tagSlot($0) }) {
          charged.addTag(slot: slot, in: catalog)
        }
      }
      charged.addTotal(in: catalog)
      engine.record(PicoUSD(pico: pico), to: charged, at: Timestamp(unixMilliseconds: now))
    }

    /// The sentences of the denials of one candidate; none: it is allowed.
    func denials(
      id: String = "", modelName: String = "", provider: String = "", tags: [String] = [],
      estimate: Int128 = 0, at now: Int64
    ) -> [String] {
      let catalog = engine.catalog
      var question = FilterQuestion()
      question.begin()
      question.estimate = PicoUSD(pico: estimate)
      question.add(slots(id, modelName, provider))
      for tag in tags {
        if let slot = NameBytes.with(tag, { catalog.tagSlot($0) }) { question.addTag(slot: slot) }
      }
      var decision = FilterDecision()
      engine.filter(
        question, in: catalog, at: Timestamp(unixMilliseconds: now), into: &decision)
      return decision.denials.map { denial in
        var text = DenialText(maximumBytes: 8_192)
        text.add(
          denial, in: catalog,
          candidate: ConfiguredDeployment(
            id: id, modelName: modelName, model: "m", provider: nil), estimate: question.estimate)
        return String(text.text.dropFirst(DenialText.prefix.count).dropLast())
      }
    }

    func report(_ scope: BudgetScope, _ name: String, _ window: String, at now: Int64)
      -> BudgetReport?
    {
      NameBytes.with(name) { engine.catalog.budgets(scope, $0) }
        .first { $0.definition.key.windowText == window }
        .map { engine.report(on: $0, at: Timestamp(unixMilliseconds: now)) }
    }
  }

  private static let dollar: Int128 = 1_000_000_000_000

  @Test func eachWindowOfANameDeniesAtItsOwnLimitAndResetsAlone() throws {
    let house = House([
      try Self.own(.provider, "openai", 100 * Self.dollar, "month"),
      try Self.liteLLM("openai", 15 * Self.dollar, "1d"),
      try Self.own(.provider, "openai", 4 * Self.dollar, "hour"),
    ])
    #expect(
      NameBytes.with("openai") { house.engine.catalog.budgets(.provider, $0) }
        .map(\.definition.key.windowText) == ["1d", "hour", "month"])
    house.record(4 * Self.dollar, provider: "openai", at: 10 * 60_000)
    #expect(
      house.denials(provider: "openai", at: 11 * 60_000)
        == ["Exceeded budget for provider openai per hour: 4.0 >= 4.0"])
    // The next hour has money again; the day and the month go on.
    #expect(house.denials(provider: "openai", at: Self.hour).isEmpty)
    for hour in 1...2 {
      house.record(4 * Self.dollar, provider: "openai", at: Int64(hour) * Self.hour)
    }
    house.record(3 * Self.dollar, provider: "openai", at: 3 * Self.hour)
    #expect(
      house.denials(provider: "openai", at: 3 * Self.hour)
        == ["Exceeded budget for provider openai: 15.0 >= 15.0"])
    #expect(
      house.denials(provider: "openai", estimate: 90 * Self.dollar, at: Self.day + Self.hour)
        == ["Would exceed budget for provider openai: 0.0 + 90.0 > 15.0"])
    #expect(
      house.report(.provider, "openai", "month", at: 5 * Self.day)?.spend.pico == 15 * Self.dollar)
    // 1970-02-01 is a new month.
    #expect(house.report(.provider, "openai", "month", at: 31 * Self.day)?.spend == .zero)
    #expect(
      house.report(.provider, "openai", "month", at: 31 * Self.day)?.resetsAt?.unixMilliseconds
        == 59 * Self.day - 1)
  }

  @Test func aShadowCountsAndAFreezeDeniesAll() throws {
    let house = House([
      try Self.own(.provider, "groq", nil, "day", .freeze),
      try Self.own(.provider, "openai", 1, "day", .shadow),
      try Self.own(.total, "total", 2, "day", .shadow),
    ])
    #expect(house.denials(provider: "groq", at: 1) == ["provider groq is frozen"])
    house.record(5, provider: "openai", at: 1)
    #expect(house.denials(provider: "openai", at: 2).isEmpty)
    #expect(house.denials(provider: "openai", estimate: 1, at: 2).isEmpty)
    let report = try #require(house.report(.provider, "openai", "day", at: 2))
    #expect(report.shadowed == 2 && report.isExhausted && !report.denies)
    #expect(house.report(.total, "total", "day", at: 2)?.shadowed == 2)
    #expect(house.report(.provider, "groq", "day", at: 2)?.denies == true)
  }

  @Test func aModelIsItsPublicNameByWhateverAlias() throws {
    let house = House(
      [
        try Self.own(.model, "chat", 10, "week"), try Self.own(.total, "total", 1_000, "month"),
      ], [Self.deployment("d1", "chat", "openai"), Self.deployment("d2", "*", "groq")],
      aliases: ["default": "chat"])
    house.record(4, id: "d1", at: 1)
    house.record(4, modelName: "default", provider: "azure", at: 2)
    house.record(4, modelName: "other", provider: "azure", at: 3)
    #expect(house.report(.model, "chat", "week", at: 3)?.spend.pico == 8)
    house.record(2, modelName: "chat", at: 3)
    #expect(
      house.denials(id: "d1", at: 4)
        == ["Exceeded budget for model chat per week: 1e-11 >= 1e-11"])
    #expect(house.denials(modelName: "default", provider: "x", at: 4).count == 1)
    // The name that was asked for counts, not the model list's.
    #expect(house.denials(id: "d1", modelName: "other", at: 4).isEmpty)
    // A pattern that served it is no public name.
    #expect(house.denials(id: "d2", at: 4).isEmpty)
    #expect(house.report(.total, "total", "month", at: 4)?.spend.pico == 14)
  }

  @Test func aPoolIsChargedOnceHoweverACandidateBelongsToIt() throws {
    let pools = [
      PoolMembers(
        name: "frontier", providers: ["openai", "azure"], models: ["claude-*"],
        deployments: ["d-*"])
    ]
    let house = House(
      [try Self.own(.pool, "frontier", 10, "week")],
      [Self.deployment("d-1", "claude-4", "openai"), Self.deployment("e", "gpt", "groq")],
      pools: pools)
    house.record(4, id: "d-1", at: 1)
    #expect(house.report(.pool, "frontier", "week", at: 1)?.spend.pico == 4)
    house.record(3, id: "e", at: 1)
    house.record(3, modelName: "claude-5", provider: "groq", at: 1)
    house.record(3, id: "d-x", at: 1)
    #expect(house.report(.pool, "frontier", "week", at: 1)?.spend.pico == 10)
    let sentence = "Exceeded budget for pool frontier per week: 1e-11 >= 1e-11"
    #expect(house.denials(id: "d-1", at: 2) == [sentence])
    #expect(house.denials(provider: "azure", at: 2) == [sentence])
    #expect(house.denials(id: "e", at: 2).isEmpty)
    #expect(house.denials(modelName: "claude-9", provider: "groq", at: 2) == [sentence])
  }

  @Test func whatIsSpentElsewhereKeepsNoFreeDeploymentOut() throws {
    let budgets = [
      try Self.own(.provider, "openai", 100, "day"), try Self.own(.model, "chat", 5, "day"),
      try Self.own(.tag, "t", 5, "day"), try Self.own(.total, "total", 5, "day"),
    ]
    let list = [
      Self.deployment("free", "chat", "openai", isFree: true),
      Self.deployment("paid", "chat", "openai"),
    ]
    let house = House(budgets, list)
    house.record(5, id: "paid", tags: ["t"], at: 1)
    #expect(house.denials(id: "paid", tags: ["t"], at: 2).count == 1)
    #expect(house.denials(provider: "openai", tags: ["t"], at: 2).count == 2)
    #expect(house.denials(id: "free", tags: ["t"], at: 2).isEmpty)
    // Its provider's own budget does, and so does a freeze.
    house.record(95, provider: "openai", at: 3)
    #expect(house.denials(id: "free", at: 4).count == 1)
    var frozen = budgets
    frozen[0].policy.limit = nil
    for place in 1...3 {
      var some = frozen
      some[place].policy.mode = .freeze
      house.reload(some, list, at: 5)
      #expect(house.denials(id: "free", tags: ["t"], at: 6).first?.hasSuffix("is frozen") == true)
    }
    // A second window of a name is asked too.
    var second = frozen
    second.append(try Self.own(.tag, "t", nil, "week", .freeze))
    house.reload(second, list, at: 7)
    #expect(house.denials(id: "free", tags: ["t"], at: 8) == ["tag t is frozen"])
    #expect(
      house.denials(provider: "openai", tags: ["t"], at: 8)
        == [
          "Exceeded budget for tag t per day: 5e-12 >= 5e-12",
          "Exceeded budget for total per day: 1e-10 >= 5e-12",
        ])
  }

  @Test func aReloadKeepsEachWindowsSpend() throws {
    let first = [
      try Self.liteLLM("p", 100, "1d"), try Self.own(.provider, "p", 50, "month"),
      try Self.own(.provider, "p", 20, "36h"),
    ]
    let house = House(first)
    house.record(7, provider: "p", at: 1)
    // Another length takes the place of the one that no entry names; a limit is no identity.
    let report = house.reload(
      [
        try Self.liteLLM("p", 100, "1d"), try Self.own(.provider, "p", 60, "month"),
        try Self.own(.provider, "p", 20, "48h"), try Self.own(.provider, "p", 9, "hour"),
      ], at: 2)
    #expect(report.relimited.map(\.windowText) == ["month"])
    #expect(report.closed.map(\.from.windowText) == ["36h"])
    #expect(report.closed.map(\.to.windowText) == ["48h"])
    #expect(report.added.map(\.windowText) == ["hour"])
    #expect(report.removed.isEmpty && report.renamed.isEmpty)
    for (window, spend) in [("1d", 7), ("month", 7), ("48h", 0), ("hour", 0)] as [(String, Int128)]
    {
      #expect(house.report(.provider, "p", window, at: 3)?.spend.pico == spend, "\(window)")
    }
    // 1d is 24h by another text: the window goes on.
    let renamed = house.reload(
      [try Self.liteLLM("p", 100, "24h"), try Self.own(.provider, "p", 60, "month")], at: 4)
    #expect(renamed.renamed.map(\.to.windowText) == ["24h"])
    #expect(Set(renamed.removed.map(\.windowText)) == ["48h", "hour"])
    #expect(house.report(.provider, "p", "24h", at: 5)?.spend.pico == 7)
    // A dropped budget comes back with its spend while its window lasts.
    house.record(2, provider: "p", at: 6)
    house.reload(
      [try Self.liteLLM("p", 100, "24h"), try Self.own(.provider, "p", 9, "hour")], at: 7)
    #expect(house.report(.provider, "p", "hour", at: 8)?.spend == .zero)
    house.reload([try Self.own(.provider, "p", 60, "month")], at: 9)
    #expect(house.report(.provider, "p", "month", at: 10)?.spend.pico == 9)
  }

  @Test func anotherCalendarCountsFromTheNextWindowOn() throws {
    func month(_ firstDay: Int, _ mode: BudgetMode = .enforce) throws -> BudgetDefinition {
      var budget = try Self.own(.provider, "p", 50, "month", mode)
      budget.rule = .calendar(CalendarWindows(unit: .month, zone: .utc, firstDay: firstDay))
      return budget
    }
    let house = House([try month(1)])
    house.record(7, provider: "p", at: 1)
    let report = house.reload([try month(15, .shadow)], at: 2)
    #expect(report.recalendared.map(\.name) == ["p"] && report.remoded.map(\.name) == ["p"])
    #expect(report.closed.isEmpty && report.added.isEmpty && report.removed.isEmpty)
    // January goes on to its end; the window after it is the one from 15 January.
    #expect(house.report(.provider, "p", "month", at: 20 * Self.day)?.spend.pico == 7)
    house.record(1, provider: "p", at: 32 * Self.day)
    let next = try #require(house.report(.provider, "p", "month", at: 33 * Self.day))
    #expect(next.spend.pico == 1 && next.resetsAt?.unixMilliseconds == 45 * Self.day - 1)
  }

  @Test func aRestartFindsEveryWindow() throws {
    let budgets = [
      try Self.liteLLM("p", 100, "1d"), try Self.own(.provider, "p", 50, "month"),
      try Self.own(.provider, "p", 20, "36h"), try Self.own(.total, "total", 20, "day"),
    ]
    let house = House(budgets)
    house.record(7, provider: "p", at: 1)
    house.record(1, provider: "p", at: 2)
    let now = Timestamp(unixMilliseconds: 3)
    let windows = house.engine.windows(of: house.engine.catalog, countsPending: false, at: now)
    #expect(windows.count == 4)
    let again = BudgetEngine(restoring: windows)
    let ordered = BudgetScope.inOrder.flatMap { scope in budgets.filter { $0.key.scope == scope } }
    let report = again.reload(
      BudgetConfiguration(budgets: ordered, deployments: [], directory: .empty), at: now)
    #expect(report.closed.isEmpty && report.renamed.isEmpty)
    for budget in again.catalog.budgets {
      #expect(again.report(on: budget, at: now).spend.pico == 8, "\(budget.definition.key)")
    }
  }
}
