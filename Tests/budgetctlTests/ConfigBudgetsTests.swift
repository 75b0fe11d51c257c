import BudgetModel
import JSONWriting
import LiteLLMConfig
import Testing

@testable import budgetctl

/// The words of check-config about budgets.
@Suite struct ConfigBudgetsTests {
  private static let yaml = """
    model_list:
    - {model_name: gpt-4o, litellm_params: {model: openai/gpt-4o}, model_info: {id: d-17}}
    - {model_name: "claude-*", litellm_params: {model: "anthropic/claude-*"}, model_info: {id: d-18}}
    router_settings:
      model_group_alias: {gpt-4: gpt-4o}
      provider_budget_config:
        openai: {budget_limit: 90, time_period: 1d}
    litellm_settings:
      tag_budget_config: {"user:ann": {max_budget: 1, budget_duration: 1d}}
    budgetd:
      time_zone: Europe/Berlin
      budgets:
        - {provider: openai, limit: 2000, window: month, begins_on: 15}
        - {provider: "*", limit: 3, window: week, begins_on: sunday}
        - {model: "gpt*", limit: 4, window: year}
        - {tag: "user:*", limit: 5, window: 1d, mode: shadow}
        - {tag: "user:*", limit: 6, window: day}
        - {pool: frontier, of: {providers: [openai], models: ["claude-*"]}, limit: 500, window: quarter}
        - {total: true, window: hour}
    """

  private func budgets() throws -> ConfigBudgets {
    let zone = ZoneTable(
      name: "Europe/Berlin", firstOffset: 7_200,
      transitions: [.init(at: 1_792_890_000, offset: 3_600)])
    let loader = LiteLLMConfigLoader(environment: [:], zones: { _ in zone })
    let config = try loader.load(yaml: Self.yaml, file: "c.yaml")
    // 2026-10-20T10:30:00Z, five days before clocks are set back.
    return ConfigBudgets(
      configuration: config.budgets, now: Timestamp(unixMilliseconds: 1_792_492_200_000))
  }

  @Test func everyBudgetIsShown() throws {
    let lines = try budgets().lines(columns: nil)
    let rows = lines.prefix { !$0.isEmpty }.map { line in
      line.split(separator: "  ").map { $0.trimmingPrefix(" ") }.joined(separator: "|")
    }
    #expect(
      rows == [
        "BUDGET|NAME|LIMIT|WINDOW|MODE|BEGINS",
        "provider|openai|$90.00|1d|enforce|with the first charge",
        "provider|openai|$2,000.00|month|enforce|day 15, Europe/Berlin",
        "provider|*, each name|$3.00|week|enforce|Sunday, Europe/Berlin",
        "model|gpt*, each name|$4.00|year|enforce|1 January, Europe/Berlin",
        "pool|frontier|$500.00|quarter|enforce|day 1 of January, April, July, October, Europe/Berlin",
        "tag|user:ann|$1.00|1d|enforce|with the first charge",
        "tag|user:*, each name|$5.00|1d|shadow|with the first charge",
        "tag|user:*, each name|$6.00|day|enforce|each midnight, Europe/Berlin",
        "total|total|unlimited|hour|enforce|each full hour, Europe/Berlin",
      ])
    let rest = lines.drop { !$0.hasPrefix("PATTERN") }
    #expect(
      rest.map { $0.split(separator: "  ").map { $0.trimmingPrefix(" ") }.joined(separator: "|") }
        == [
          "PATTERN|GIVES|LIMIT|WINDOW", "*|provider openai|$3.00|week",
          "*|provider anthropic|$3.00|week", "gpt*|model gpt-4o|$4.00|year",
          "user:*|tag user:ann|$6.00|day", "",
          "Pool frontier: providers openai; models claude-*", "Alias gpt-4: gpt-4o",
          "Where no more names fit: not denied", "",
        ])
  }

  @Test func nextWindowsAreShownInTheirZone() throws {
    let lines = try budgets().lines(columns: nil)
    let starts = lines.drop { !$0.hasPrefix("NEXT WINDOWS") }.dropFirst().prefix { !$0.isEmpty }
    #expect(
      starts.map { $0.split(separator: "  ").map { $0.trimmingPrefix(" ") }.joined(separator: "|") }
        == [
          "provider openai per month|2026-11-15 00:00 +01:00|2026-12-15 00:00 +01:00|2027-01-15 00:00 +01:00",
          "provider * per week|2026-10-25 00:00 +02:00|2026-11-01 00:00 +01:00|2026-11-08 00:00 +01:00",
          "model gpt* per year|2027-01-01 00:00 +01:00|2028-01-01 00:00 +01:00|2029-01-01 00:00 +01:00",
          "pool frontier per quarter|2027-01-01 00:00 +01:00|2027-04-01 00:00 +01:00|2027-07-01 00:00 +01:00",
          "tag user:* per day|2026-10-21 00:00 +02:00|2026-10-22 00:00 +02:00|2026-10-23 00:00 +02:00",
          "total per hour|2026-10-20 13:00 +02:00|2026-10-20 14:00 +02:00|2026-10-20 15:00 +02:00",
        ])
  }

  @Test func machinesReadTheSame() throws {
    let json = JSONValue.object(try budgets().members).text
    for part in [
      #""patterns":[{"scope":"provider","name":"*","limit_usd":3"#,
      #""mode":"shadow","time_zone":null,"first_day":null,"next_windows":[]"#,
      #""time_zone":"Europe/Berlin","first_day":15,"next_windows":["2026-11-14T23:00:00.000Z","#,
      #""aliases":{"gpt-4":"gpt-4o"},"dynamic_budgets_full":"open""#,
    ] {
      #expect(json.replacing(" ", with: "").contains(part), "\(part) in \(json)")
    }
  }
}
