import BudgetModel
import Documents
import Testing

@testable import LiteLLMConfig

/// LiteLLM's limit on everything.
@Suite struct TotalBudgetTests {
  private func lines(_ settings: String) throws -> (budgets: [String], warnings: [String]) {
    let config = try OwnFiles.load("litellm_settings:\n  " + settings.replacing("; ", with: "\n  "))
    return (OwnFiles.lines(config), config.warnings.map(\.description))
  }

  @Test(arguments: [
    ("1h", "hour"), ("hourly", "hour"), ("1d", "day"), ("24h", "day"), (" Daily ", "day"),
    ("7d", "week"), ("1w", "week"), ("weekly", "week"), ("30d", "month"), ("1mo", "month"),
    ("monthly", "month"),
  ]) func aUnitIsTheCalendars(duration: String, unit: String) throws {
    let told = try lines("max_budget: 5; budget_duration: \"\(duration)\"")
    #expect(told.budgets == ["total per \(unit), \(unit) from 1 in UTC: 5 enforce"])
    #expect(told.warnings.isEmpty)
    let there = try lines(
      "max_budget: '5'; budget_duration: \"\(duration)\"; timezone: Europe/Berlin")
    #expect(there.budgets == ["total per \(unit), \(unit) from 1 in Europe/Berlin: 5 enforce"])
  }

  @Test func otherDurationsRoll() throws {
    let told = try lines("max_budget: 5; budget_duration: 36h")
    #expect(told.budgets == ["total per 36h, rolling: 5 enforce"])
    #expect(
      told.warnings == [
        "c.yaml:3: litellm_settings.budget_duration: a window of 36h begins with the first charge here, "
          + "and in LiteLLM at a full unit of its clock: both are the same for 1h, 1d, 7d and 30d"
      ])
  }

  @Test func nothingIsNoLimit() throws {
    for nothing in ["0", "0.0", "'0'", "", "null", ".inf", ".nan", "inf"] {
      let told = try lines("max_budget: \(nothing); budget_duration: 30d")
      #expect(told.budgets.isEmpty && told.warnings.isEmpty, "\(nothing)")
    }
    let below = try lines("max_budget: -1; budget_duration: 30d")
    #expect(below.budgets.isEmpty)
    #expect(
      below.warnings == [
        "c.yaml:2: litellm_settings.max_budget: not enforced here, nor by LiteLLM: it is below 0, which is "
          + "no limit to both"
      ])
    // A duration alone limits nothing.
    #expect(try lines("budget_duration: 30d").warnings.isEmpty)
  }

  @Test func aLimitThatIsNotReadIsToldOnce() throws {
    let told = try lines("max_budget: 5")
    #expect(told.budgets.isEmpty)
    #expect(
      told.warnings == [
        "c.yaml:2: litellm_settings.max_budget: not enforced here: there is no budget_duration beside it, "
          + "and LiteLLM does not start with it where it has a database: give it one, such as 30d"
      ])
    let config = try OwnFiles.load("general_settings: {max_budget: 5, budget_duration: 30d}")
    #expect(config.budgets.budgets.isEmpty)
    #expect(
      config.warnings.map(\.description) == [
        "c.yaml:1: general_settings.max_budget: not enforced here: LiteLLM reads the limit on everything "
          + "under litellm_settings: write it there, with a budget_duration beside it"
      ])
  }

  @Test(arguments: [
    (
      "max_budget: much; budget_duration: 30d",
      "2: litellm_settings.max_budget: the limit is 'much'"
    ),
    (
      "max_budget: true; budget_duration: 30d",
      "2: litellm_settings.max_budget: the limit is the truth"
    ),
    (
      "max_budget: 5; budget_duration: 30",
      "3: litellm_settings.budget_duration: the window is the number"
    ),
    (
      "max_budget: 5; budget_duration: 30days",
      "3: litellm_settings.budget_duration: '30days' is misleading, LiteLLM would end it at each midnight"
    ),
    (
      "max_budget: 5; budget_duration: os.environ/NOPE",
      "3: litellm_settings.budget_duration: the environment variable NOPE is not set"
    ),
    (
      "max_budget: 5; max_budget: 6; budget_duration: 30d",
      "3: litellm_settings.max_budget: 'max_budget' stands here a second time"
    ),
  ]) func aBadOneIsRefused(settings: String, problem: String) {
    let problems = OwnFiles.problems(
      "litellm_settings:\n  " + settings.replacing("; ", with: "\n  "))
    #expect(problems.count == 1)
    #expect(problems.first?.hasPrefix("c.yaml:\(problem)") == true, "\(problems)")
  }

  @Test func anUnknownZoneIsUTCAsInLiteLLM() throws {
    let told = try lines("max_budget: 5; budget_duration: 1d; timezone: Europe/Berln")
    #expect(told.budgets == ["total per day, day from 1 in UTC: 5 enforce"])
    #expect(told.warnings.count == 1)
    #expect(told.warnings.first?.contains("litellm_settings.timezone: ") == true)
    #expect(
      told.warnings.first?.contains("LiteLLM takes UTC in the place of a zone") == true)
    let number = try lines("max_budget: 5; budget_duration: 1d; timezone: 2")
    #expect(number.budgets == told.budgets)
    #expect(number.warnings.count == 1)
  }

  @Test func anotherTimeOfDayIsWarnedOf() throws {
    #expect(
      try lines("max_budget: 5; budget_duration: 1d; budget_reset_time: '12:00'").warnings == [
        "c.yaml:4: litellm_settings.budget_reset_time: the windows of the limit on everything begin at "
          + "midnight here, and at this time in LiteLLM"
      ])
    #expect(
      try lines("max_budget: 5; budget_duration: 1h; budget_reset_time: '12:00'").warnings.isEmpty)
    #expect(
      try lines("max_budget: 5; budget_duration: 1d; budget_reset_time: '00:00'").warnings.isEmpty)
  }

  @Test func aRepetitionThatLosesItIsRefused() {
    let problems = OwnFiles.problems(
      "litellm_settings: {max_budget: 5, budget_duration: 30d}\nlitellm_settings: {cache: false}\n")
    #expect(problems.count == 1)
    #expect(
      problems.first?.contains(
        "litellm_settings.max_budget, litellm_settings.budget_duration of line 1 would be lost")
        == true)
  }

  @Test(arguments: ["max_budget: 0, budget_duration: 30d", "budget_duration: 30d", "max_budget: 5"])
  func aRepetitionThatLosesNoLimitIsAWarning(settings: String) throws {
    let config = try OwnFiles.load(
      "litellm_settings: {\(settings)}\nlitellm_settings: {cache: false}\n")
    #expect(config.warnings.count == 1)
    #expect(config.warnings.first?.message.hasSuffix(" of line 1 is lost") == true)
  }

  @Test func bothTotalsHold() throws {
    let config = try OwnFiles.load(
      """
      litellm_settings: {max_budget: 5, budget_duration: 30d}
      budgetd: {budgets: [{total: true, limit: 1, window: day}]}
      """)
    #expect(
      OwnFiles.lines(config) == [
        "total per month, month from 1 in UTC: 5 enforce",
        "total per day, day from 1 in UTC: 1 enforce",
      ])
  }

  @Test func limitsOfOthersAreToldWithTheWayOut() throws {
    let config = try OwnFiles.load(
      """
      litellm_settings:
        max_end_user_budget: 1
        default_team_settings: [{team_id: a, max_budget: 1}]
        default_internal_user_params: {max_budget: 1}
        default_key_generate_params: {model_max_budget: {gpt-4o: {budget_limit: 1}}}
        model_max_budget: {gpt-4o: {budget_limit: 1}}
        other: {max_budget: 1}
      """)
    func line(_ number: Int, _ key: String, _ whose: String, _ tag: String) -> String {
      "c.yaml:\(number): litellm_settings.\(key): not enforced here: budgets of \(whose) are LiteLLM's "
        + "proxy's own; here {tag: '\(tag)', limit: 5, window: day} in the section budgetd gives each of "
        + "them one, where requests carry such tags"
    }
    #expect(
      config.warnings.map(\.description) == [
        line(2, "max_end_user_budget", "end users", "user:*"),
        line(3, "default_team_settings", "teams", "team:*"),
        line(4, "default_internal_user_params", "internal users", "user:*"),
        line(5, "default_key_generate_params", "keys", "key:*"),
        "c.yaml:6: litellm_settings.model_max_budget: not enforced here: budgets of a key's models are "
          + "LiteLLM's proxy's own; here {model: NAME, limit: 5, window: day} in the section budgetd limits "
          + "a model, for all keys together",
        line(7, "other", "this kind", "key:*"),
      ])
  }
}
