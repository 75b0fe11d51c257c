import BudgetModel
import Documents
import Testing

@testable import LiteLLMConfig

/// The section `budgetd:`.
@Suite struct OwnSectionTests {
  /// One budget of each kind.
  static let example = """
    router_settings:
      provider_budget_config:
        openai: {budget_limit: 90, time_period: 1d}
    budgetd:
      time_zone: Europe/Berlin
      dynamic_budgets_full: deny
      budgets:
        - {provider: openai, limit: 2000, window: month}
        - {provider: openai, limit: 40, window: hour}
        - {model: gpt-4o, limit: 300, window: week}
        - {tag: "user:*", limit: 5, window: day}
        - {tag: "team:ml", limit: 100, window: month, begins_on: 15}
        - {total: true, limit: 5000, window: month, mode: shadow}
        - {pool: frontier, of: {providers: [openai, azure], models: ["claude-*"]}, limit: 500, window: week}
        - {deployment: d-17, limit: 9, window: 36h}
    """

  @Test func theExampleIsRead() throws {
    let config = try OwnFiles.load(Self.example)
    #expect(
      OwnFiles.lines(config) == [
        "provider openai per 1d, rolling: 90 enforce LiteLLM",
        "provider openai per month, month from 1 in Europe/Berlin: 2000 enforce",
        "provider openai per hour, hour from 1 in Europe/Berlin: 40 enforce",
        "deployment d-17 per 36h, rolling: 9 enforce",
        "model gpt-4o per week, week from 1 in Europe/Berlin: 300 enforce",
        "pool frontier per week, week from 1 in Europe/Berlin: 500 enforce",
        "tag team:ml per month, month from 15 in Europe/Berlin: 100 enforce",
        "total per month, month from 1 in Europe/Berlin: 5000 shadow",
        "tag user:* per day, day from 1 in Europe/Berlin: 5 enforce each",
      ])
    #expect(
      config.budgets.pools == [
        PoolMembers(
          name: "frontier", providers: ["openai", "azure"], models: ["claude-*"], deployments: [])
      ])
    #expect(config.budgets.patterns.map(\.prefix) == ["user:"])
    #expect(config.budgets.dynamicBudgetsFull == .deny)
    #expect(config.warnings.isEmpty)
    // Budgets of one unit, zone and day share their windows.
    let windows = config.budgets.budgets.compactMap { budget -> CalendarWindows? in
      if case .calendar(let windows) = budget.rule, windows.unit == .week { windows } else { nil }
    }
    #expect(windows.count == 2 && windows[0] === windows[1])
  }

  @Test func theSectionAloneIsAConfiguration() throws {
    let config = try OwnFiles.load("budgetd: {budgets: [{total: true, limit: 1, window: day}]}")
    #expect(OwnFiles.lines(config) == ["total per day, day from 1 in UTC: 1 enforce"])
    #expect(config.budgets.dynamicBudgetsFull == .open)
    #expect(config.warnings.isEmpty)
    for nothing in ["budgetd:", "budgetd: {}", "budgetd: {budgets: }", "budgetd: {budgets: []}"] {
      #expect(try OwnFiles.load(nothing).budgets.budgets.isEmpty)
    }
  }

  @Test func everyWindowAndModeIsRead() throws {
    let config = try OwnFiles.load(
      """
      budgetd:
        budgets:
        - {provider: a, window: hour, limit: 0.000000000001}
        - {provider: a, window: day, time_zone: Europe/Berlin, mode: enforce}
        - {provider: a, window: week, begins_on: Sunday, limit: null}
        - {provider: a, window: month, begins_on: 28, mode: freeze}
        - {provider: a, window: quarter, begins_on: "2", limit: "1_000"}
        - {provider: a, window: year, begins_on: 3, limit: 0, mode: shadow}
        - {provider: a, window: 36h, limit: 1e3}
        - {provider: a, window: 1d, limit: os.environ/LIMIT}
        - {deployment: 17, window: 1mo, mode: os.environ/MODE}
        - {provider: os.environ/NAME, window: os.environ/WINDOW}
        - {model: "*", limit: 1, window: day}
        - {model: "openai/*", limit: 2, window: day}
        - {provider: "azure*", limit: 3, window: 7d}
      """,
      environment: ["LIMIT": "7", "MODE": "shadow", "NAME": "groq", "WINDOW": "2d"])
    #expect(
      OwnFiles.lines(config) == [
        "provider a per hour, hour from 1 in UTC: 0.000000000001 enforce",
        "provider a per day, day from 1 in Europe/Berlin: - enforce",
        "provider a per week, week from 7 in UTC: - enforce",
        "provider a per month, month from 28 in UTC: - freeze",
        "provider a per quarter, quarter from 2 in UTC: 1000 enforce",
        "provider a per year, year from 3 in UTC: 0 shadow",
        "provider a per 36h, rolling: 1000 enforce", "provider a per 1d, rolling: 7 enforce",
        "provider groq per 2d, rolling: - enforce", "deployment 17 per 1mo, rolling: - shadow",
        "provider azure* per 7d, rolling: 3 enforce each",
        "model openai/* per day, day from 1 in UTC: 2 enforce each",
        "model * per day, day from 1 in UTC: 1 enforce each",
      ])
    #expect(
      config.warnings.map(\.description) == [
        "c.yaml:3: budgetd.budgets[0].provider: no provider is known as 'a', so only requests that name it "
          + "count here"
      ]
        + (4...10).map { line in
          "c.yaml:\(line): budgetd.budgets[\(line - 3)].provider: no provider is known as 'a', so only "
            + "requests that name it count here"
        })
  }

  @Test func aDayAndALengthOfADayAreTwoWindows() throws {
    let config = try OwnFiles.load(
      """
      router_settings: {provider_budget_config: {openai: {budget_limit: 1, time_period: 1d}}}
      budgetd: {budgets: [{provider: openai, limit: 1, window: day}]}
      """)
    #expect(config.budgets.budgets.map(\.key.windowText) == ["1d", "day"])
  }

  @Test func poolsMayHaveSeveralBudgets() throws {
    let config = try OwnFiles.load(
      """
      budgetd:
        budgets:
        - {pool: p, limit: 1, window: day}
        - {pool: q, of: {deployments: [d, "e-*", 7]}, limit: 1, window: day}
        - {pool: p, of: {providers: ["azure*", openai, openai], models: ["*"]}, limit: 2, window: month}
      """)
    #expect(
      config.budgets.pools == [
        PoolMembers(name: "p", providers: ["azure*", "openai"], models: ["*"], deployments: []),
        PoolMembers(name: "q", providers: [], models: [], deployments: ["d", "e-*", "7"]),
      ])
    #expect(
      config.warnings.map(\.description) == [
        "c.yaml:5: budgetd.budgets[2].of.providers[2]: this stands here a second time: keep one"
      ])
  }

  @Test func doubtfulThingsAreWarnedOf() throws {
    let config = try OwnFiles.load(
      """
      model_list:
      - {model_name: gpt-4o, litellm_params: {model: openai/gpt-4o}, model_info: {id: d-1}}
      - {model_name: "claude-*", litellm_params: {model: "anthropic/claude-*"}, model_info: {id: d-2}}
      budgetd:
        colour: red
        budgets:
        - {provider: opneai, limit: 0, window: day, remark: none}
        - {model: gpt4o, limit: 1, window: day}
        - {model: claude-3, limit: 1, window: day}
        - {deployment: d1, limit: 1, window: day}
        - {pool: p, of: {providers: [gorq], models: [gpt-4], deployments: [d-3]}, limit: 1, window: day}
      """)
    let read = "so only requests that name it count here"
    #expect(
      config.warnings.map(\.description) == [
        "c.yaml:5: budgetd.colour: unknown key 'colour', nothing of it is read: the keys here are "
          + "time_zone, budgets, dynamic_budgets_full, alerts",
        "c.yaml:7: budgetd.budgets[0].remark: unknown key 'remark', nothing of it is read: the keys here "
          + "are provider, deployment, model, pool, tag, total, of, limit, window, begins_on, time_zone, "
          + "mode",
        "c.yaml:7: budgetd.budgets[0]: the limit is 0: nothing may be spent; no limit is written null",
        "c.yaml:7: budgetd.budgets[0].provider: no provider is known as 'opneai', \(read): did you mean "
          + "openai?",
        "c.yaml:8: budgetd.budgets[1].model: no model_name is 'gpt4o', \(read): did you mean gpt-4o?",
        "c.yaml:10: budgetd.budgets[3].deployment: no model_info.id is 'd1', \(read): did you mean "
          + "d-1?",
        "c.yaml:11: budgetd.budgets[4].of.providers[0]: no provider is known as 'gorq', \(read): did you "
          + "mean groq?",
        "c.yaml:11: budgetd.budgets[4].of.models[0]: no model_name is 'gpt-4', \(read): did you mean "
          + "gpt-4o?",
        "c.yaml:11: budgetd.budgets[4].of.deployments[0]: no model_info.id is 'd-3', \(read): did you "
          + "mean d-1?",
      ])
  }

  @Test func filesAreJoinedAndTheirLinesTold() throws {
    func load(_ root: String, _ more: String) throws(DocumentError) -> LiteLLMConfig {
      let includes = ConfigIncludes(
        workingFolder: "/", exists: { _ in true },
        bytes: { _ throws(DocumentError) in Array(more.utf8) })
      return try LiteLLMConfigLoader(environment: [:], zones: OwnFiles.zone).load(
        yaml: Array("include: [a.yaml]\n\(root)".utf8), file: "c.yaml", includes: includes)
    }
    let first =
      "budgetd:\n  time_zone: Europe/Berlin\n  budgets: [{tag: a, limit: 1, window: day}]\n"
    let joined = try load(first, "budgetd: {budgets: [{tag: b, limit: 1, window: day}]}\n")
    #expect(joined.budgets.budgets.map(\.key.name) == ["a", "b"])
    for (more, problem) in [
      (
        "\nbudgetd: {budgets: [{tag: a, limit: 1, window: day}]}\n",
        "a.yaml:2: budgetd.budgets[1]: the tag 'a' has a budget per day in c.yaml:4: keep one, or give "
          + "them other windows"
      ),
      (
        "budgetd: {time_zone: UTC}\n",
        "a.yaml:1: budgetd.time_zone: this has another value at c.yaml:3, and one holds for the budgets of "
          + "all files: keep one"
      ),
      (
        "budgetd: {budgets: {}}\n",
        "a.yaml:1: budgetd.budgets: this has another value at c.yaml:4, and one holds for the budgets of "
          + "all files: keep one"
      ),
    ] {
      let error = #expect(throws: DocumentError.self) { try load(first, more) }
      #expect(error?.problems.map(\.description) == [problem])
    }
  }
}
