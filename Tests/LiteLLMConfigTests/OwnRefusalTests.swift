import BudgetModel
import Documents
import Testing

@testable import LiteLLMConfig

/// Sections that are refused, with all that is said about them.
@Suite struct OwnRefusalTests {
  private static let units = "hour, day, week, month, quarter or year"
  private static let forms = "write \(units), or a number and one of s, m, h, d, w, mo (36h)"
  private static let star =
    "a * stands for the rest of a name, at its end only: write a whole name, or how names begin and a "
    + "*, such as 'user:*'"

  /// Budgets, a line each from line 3 on, and the problems: line and key of the first one, then text.
  static let entries: [(String, [String])] = [
    (
      "5",
      ["3 : this is the number 5: a budget has to be a mapping, such as \(OwnBudgetReader.example)"]
    ),
    (
      "{limit: 1, window: day}",
      [
        "3 : this budget names nothing: give it one of provider, deployment, model, pool, tag, or total: "
          + "true"
      ]
    ),
    (
      "{provider: a, model: b, limit: 1, window: day}",
      [
        "3 .model: this budget has a provider and a model: give it one of them, and the other an entry of "
          + "its own; a pool is one budget for several"
      ]
    ),
    (
      "{tag: 5, limit: 1, window: day}",
      ["3 .tag: the tag is the number 5: write its name as a text"]
    ),
    ("{tag: , limit: 1, window: day}", ["3 .tag: the tag is null: write its name as a text"]),
    (
      "{tag: '', limit: 1, window: day}",
      ["3 .tag: the name is empty: give it 1 to 256 bytes"]
    ),
    (
      "{total: false, limit: 1, window: day}",
      [
        "3 .total: this is the truth value false: write total: true, or leave it out"
      ]
    ),
    ("{tag: 'a*b', limit: 1, window: day}", ["3 .tag: \(star)"]),
    ("{model: 'a**', limit: 1, window: day}", ["3 .model: \(star)"]),
    (
      "{deployment: 'd-*', limit: 1, window: day}",
      [
        "3 .deployment: budgets of deployments name each by its whole id: give each an entry, or all of "
          + "them a pool (of: {deployments: [d-*]})"
      ]
    ),
    (
      "{pool: 'p*', of: {models: [a]}, limit: 1, window: day}",
      ["3 .pool: a pool has one budget and no pattern: leave the * out of its name"]
    ),
    // Windows.
    (
      "{tag: a, limit: 1}",
      [
        "3 : this budget has no window: give it \(units) (as the calendar has them), or a duration from "
          + "the first charge, such as 36h"
      ]
    ),
    ("{tag: a, limit: 1, window: fortnight}", ["3 .window: 'fortnight' is not a window: \(forms)"]),
    (
      "{tag: a, limit: 1, window: Months}",
      ["3 .window: 'Months' is not a window: did you mean month?"]
    ),
    (
      "{tag: a, limit: 1, window: yearly}",
      ["3 .window: 'yearly' is not a window: did you mean year?"]
    ),
    ("{tag: a, limit: 1, window: 5x}", ["3 .window: '5x' has no known unit: \(forms)"]),
    (
      "{tag: a, limit: 1, window: 1d12h}",
      ["3 .window: '1d12h' is misleading, LiteLLM would read it as 1d: \(forms)"]
    ),
    (
      "{tag: a, limit: 1, window: 0d}",
      ["3 .window: '0d' is a window of no length, nothing would be enforced: \(forms)"]
    ),
    (
      "{tag: a, limit: 1, window: 60}",
      ["3 .window: the window is the number 60, without a unit: did you mean '60s'?"]
    ),
    (
      "{tag: a, limit: 1, window: \"a\\tb\"}",
      [
        "3 .window: the window's text has a control character: leave it out"
      ]
    ),
    (
      "{tag: a, limit: 1, window: daily}",
      [
        "3 .window: 'daily' is LiteLLM's word for a length, and is not used here: write day, as the "
          + "calendar has it, or 1d, from the first charge"
      ]
    ),
    (
      "{tag: a, limit: 1, window: Hourly}",
      [
        "3 .window: 'Hourly' is LiteLLM's word for a length, and is not used here: write hour, as the "
          + "calendar has it, or 1h, from the first charge"
      ]
    ),
    (
      "{tag: a, limit: 1, window: monthly}",
      [
        "3 .window: 'monthly' is LiteLLM's word for a length, and is not used here: write month, as the "
          + "calendar has it, or 30d, from the first charge"
      ]
    ),
    // The day that begins a window.
    (
      "{tag: a, limit: 1, window: day, begins_on: 2}",
      [
        "3 .begins_on: no window of day has it: it goes with week (a weekday), month, quarter and year (a "
          + "day, 1 to 28)"
      ]
    ),
    (
      "{tag: a, limit: 1, window: month, begins_on: 29}",
      ["3 .begins_on: this is the number 29: write a day that every month has, 1 to 28"]
    ),
    (
      "{tag: a, limit: 1, window: year, begins_on: 0}",
      ["3 .begins_on: this is the number 0: write a day that every month has, 1 to 28"]
    ),
    (
      "{tag: a, limit: 1, window: quarter, begins_on: monday}",
      ["3 .begins_on: this is 'monday': write a day that every month has, 1 to 28"]
    ),
    (
      "{tag: a, limit: 1, window: week, begins_on: tue}",
      ["3 .begins_on: this is 'tue': did you mean tuesday?"]
    ),
    (
      "{tag: a, limit: 1, window: week, begins_on: 3}",
      ["3 .begins_on: this is the number 3: write a day of the week, such as monday"]
    ),
    (
      "{tag: a, limit: 1, window: 36h, begins_on: 3, time_zone: UTC}",
      [
        "3 .begins_on: a window of 36h begins with the first charge and has none: take it out, or write "
          + units,
        "3 .time_zone: a window of 36h begins with the first charge and has none: take it out, or write "
          + units,
      ]
    ),
    (
      "{tag: a, limit: 1, window: day, time_zone: 2}",
      [
        "3 .time_zone: the time zone is the number 2: write the name that the IANA has for it, such as "
          + "Europe/Berlin"
      ]
    ),
    // Limits, modes, keys.
    (
      "{tag: a, limit: much, window: day}",
      [
        "3 .limit: the limit is 'much': write dollars as a number, such as 12.5, or null for unlimited"
      ]
    ),
    (
      "{tag: a, limit: -1, window: day}",
      ["3 .limit: the limit is negative, the number -1: write 0 (nothing may be spent) or more"]
    ),
    (
      "{tag: a, limit: os.environ/NOPE, window: day}",
      ["3 .limit: the environment variable NOPE is not set: set it, or write the value"]
    ),
    (
      "{tag: a, limit: 1, window: day, mode: shdow}",
      [
        "3 .mode: this is 'shdow': did you mean shadow? Modes are enforce, shadow (never denies) or freeze "
          + "(always denies)"
      ]
    ),
    (
      "{tag: a, limit: 1, window: day, mode: 1}",
      [
        "3 .mode: this is the number 1: write enforce, shadow (never denies) or freeze (always denies)"
      ]
    ),
    (
      "{tag: a, max_budget: 1, time_period: day}",
      [
        "3 .max_budget: unknown spelling 'max_budget': did you mean limit?",
        "3 .time_period: unknown spelling 'time_period': did you mean window?",
        "3 : this budget has no window: give it \(units) (as the calendar has them), or a duration from "
          + "the first charge, such as 36h",
        "3 .max_budget: unknown key 'max_budget', and no limit: did you mean limit? A budget that only "
          + "counts has limit: null",
      ]
    ),
    (
      "{tag: a, ceiling: 1, window: day}",
      [
        "3 .ceiling: unknown key 'ceiling', and no limit: did you mean limit? A budget that only counts "
          + "has limit: null"
      ]
    ),
    (
      "{tag: a, limit: 1, limit: 2, window: day}",
      ["3 .limit: 'limit' stands here a second time, and only the last one would count: join them"]
    ),
    (
      "{tag: a, limit: 1, window: day, 5: 6}",
      ["3 .5: this key is the number 5, not a text: quote it"]
    ),
    // One window of a kind.
    (
      "{tag: a, limit: 1, window: month}\n{tag: a, limit: 2, window: month, begins_on: 3}",
      ["4 : the tag 'a' has a budget per month in line 3: keep one, or give them other windows"]
    ),
    (
      "{tag: a, limit: 1, window: 1d}\n{tag: b, limit: 1, window: 1d}\n{tag: a, limit: 2, window: 24h}",
      [
        "5 : the tag 'a' has a budget per 1d in line 3, a window as long as 24h: keep one, or give them "
          + "other windows"
      ]
    ),
    (
      "{total: true, limit: 1, window: month}\n{total: true, limit: 2, window: month}",
      ["4 : the total has a budget per month in line 3: keep one, or give them other windows"]
    ),
    (
      "{tag: 'u*', limit: 1, window: 60s}\n{tag: 'u*', limit: 2, window: 1m}",
      [
        "4 : the tag 'u*' has a budget per 60s in line 3, a window as long as 1m: keep one, or give them "
          + "other windows"
      ]
    ),
    // Pools.
    (
      "{pool: p, limit: 1, window: day}",
      [
        "3 : nothing says what belongs to the pool 'p': write of: {providers: […], models: […], "
          + "deployments: […]} in one of its budgets"
      ]
    ),
    (
      "{pool: p, of: {models: [a]}, limit: 1, window: day}\n"
        + "{pool: p, of: {models: [a]}, limit: 1, window: week}",
      [
        "4 .of: the pool 'p' has its members in line 3 already: they stand once, and count for all budgets "
          + "of the pool"
      ]
    ),
    (
      "{pool: p, of: [a], limit: 1, window: day}",
      [
        "3 .of: this is a list: it has to be a mapping, such as {providers: [openai], models: ['claude-*']}"
      ]
    ),
    (
      "{pool: p, of: {models: a, providers: [5, 'a*b'], provider: [b]}, limit: 1, window: day}",
      [
        "3 .of.provider: unknown spelling 'provider': did you mean providers?",
        "3 .of.providers[0]: the provider is the number 5: write its name as a text",
        "3 .of.providers[1]: \(star)",
        "3 .of.models: this is 'a': it has to be a list of names, such as [a, b]",
      ]
    ),
    (
      "{pool: p, of: {}, limit: 1, window: day}",
      ["3 .of: the pool 'p' has no members: name providers, models or deployments"]
    ),
    (
      "{tag: a, of: {models: [b]}, limit: 1, window: day}",
      [
        "3 .of: these are the members of a pool, and this budget is for a tag: write pool: NAME in its "
          + "place"
      ]
    ),
  ]

  @Test(arguments: entries) func refusedWithAllThatIsWrong(entries: String, problems: [String]) {
    let told = OwnFiles.refusal(entries)
    let wanted = problems.map { problem in
      let line = Int(problem.prefix { $0 != " " }) ?? 0
      let rest = problem.dropFirst("\(line) ".count)
      return "c.yaml:\(line): budgetd.budgets[\(line - 3)]\(rest)"
    }
    #expect(told == wanted)
  }

  @Test(arguments: [
    (
      "budgetd: 5",
      [
        "1: budgetd: this is the number 5: it has to be a mapping with budgets, a list such as "
          + "- \(OwnBudgetReader.example)"
      ]
    ),
    (
      "budgetd: {budgets: {a: 1}}",
      [
        "1: budgetd.budgets: this is a mapping: it has to be a list of budgets, "
          + "such as - \(OwnBudgetReader.example)"
      ]
    ),
    (
      "budgetd: os.environ/NAME",
      ["1: budgetd: a section cannot come from the environment: write it here"]
    ),
    (
      "budgetd: {budget: []}",
      ["1: budgetd.budget: unknown spelling 'budget': did you mean budgets?"]
    ),
    (
      "budgetd: {timezone: UTC}",
      ["1: budgetd.timezone: unknown spelling 'timezone': did you mean time_zone?"]
    ),
    (
      "budgetd: {dynamic_budgets_full: closed}",
      [
        "1: budgetd.dynamic_budgets_full: this is 'closed': write open (a name without room is not denied) "
          + "or deny"
      ]
    ),
    (
      "budgetd: {budgets: [{tag: a, limit: 1, window: day}]}\nbudgetd: {}",
      [
        "2: budgetd: 'budgetd' stands here a second time, and only the last one would count: "
          + "budgetd.budgets of line 1 would be lost: join them"
      ]
    ),
    (
      "budgetd:\n  budgets: [{tag: a, limit: 1, window: day}]\n  budgets: []",
      [
        "3: budgetd.budgets: 'budgets' stands here a second time, and only the last one would count: join "
          + "them"
      ]
    ),
    (
      "general_settings: {budgetd: {budgets: []}}",
      [
        "1: general_settings.budgetd: budgetd is a section of its own, and is looked for nowhere else: move "
          + "it to the left edge"
      ]
    ),
    (
      "router_settings: {model_group_alias: {gpt-4: gpt-4o}}\n"
        + "budgetd: {budgets: [{model: gpt-4, limit: 1, window: day}]}",
      [
        "2: budgetd.budgets[0].model: 'gpt-4' is an alias, and what is asked for by it counts as its model "
          + "group: write gpt-4o"
      ]
    ),
    // The calendar's units are not LiteLLM's.
    (
      "router_settings:\n  provider_budget_config:\n    openai: {budget_limit: 1, time_period: month}",
      [
        "3: router_settings.provider_budget_config.openai.time_period: LiteLLM knows no month of the "
          + "calendar: write it in the section budgetd, or a length here, such as 30d"
      ]
    ),
    // LiteLLM's own budgets of the same name.
    (
      "router_settings:\n  provider_budget_config:\n    openai: {budget_limit: 1, time_period: 1d}\n"
        + "budgetd:\n  budgets:\n  - {provider: openai, limit: 1, window: 1d}",
      [
        "6: budgetd.budgets[0]: the provider 'openai' has LiteLLM's budget per 1d in line 3: keep one, or "
          + "give them other windows"
      ]
    ),
    (
      "budgetd:\n  budgets:\n  - {tag: a, limit: 1, window: 24h}\n"
        + "litellm_settings:\n  tag_budget_config:\n    a: {max_budget: 1, budget_duration: daily}\n",
      [
        "3: budgetd.budgets[0]: the tag 'a' has LiteLLM's budget per daily in line 6, a window as long as "
          + "24h: keep one, or give them other windows"
      ]
    ),
    (
      "model_list:\n"
        + "- {model_name: a, litellm_params: {model: openai/a, max_budget: 1, budget_duration: 1h}, "
        + "model_info: {id: d}}\n"
        + "budgetd:\n  budgets:\n  - {deployment: d, limit: 1, window: 60m}",
      [
        "5: budgetd.budgets[0]: the deployment 'd' has LiteLLM's budget per 1h in line 2, a window as long as "
          + "60m: keep one, or give them other windows"
      ]
    ),
    (
      "litellm_settings:\n  max_budget: 5\n  budget_duration: 30d\n"
        + "budgetd:\n  budgets:\n  - {total: true, limit: 1, window: month}",
      [
        "6: budgetd.budgets[0]: the total has LiteLLM's budget per month in line 2: keep one, or give them "
          + "other windows"
      ]
    ),
  ]) func aSectionIsRefused(yaml: String, problems: [String]) {
    #expect(OwnFiles.problems(yaml) == problems.map { "c.yaml:\($0)" })
  }

  @Test func zonesThatAreNotKnownAreRefused() {
    let yaml =
      "budgetd:\n  time_zone: Europe/Berln\n  budgets:\n  - {tag: a, limit: 1, window: day}\n"
      + "  - {tag: b, limit: 1, window: day, time_zone: Mars/Base}\n"
    let problems = OwnFiles.problems(yaml)
    // The entries without a zone of their own say nothing of the section's.
    #expect(problems.count == 2)
    #expect(problems.first?.hasPrefix("c.yaml:2: budgetd.time_zone: ") == true)
    #expect(problems.first?.contains("Europe/Berln") == true)
    #expect(problems.last?.hasPrefix("c.yaml:5: budgetd.budgets[1].time_zone: ") == true)
    #expect(problems.last?.contains("Mars/Base") == true)
  }

  @Test func allProblemsAreTold() {
    let problems = OwnFiles.refusal("{tag: a, limit: x, window: y}\n{}\n{pool: p, window: day}")
    #expect(
      problems.map { $0.prefix(9) } == [
        "c.yaml:3:", "c.yaml:3:", "c.yaml:4:", "c.yaml:4:", "c.yaml:5:",
      ])
  }

  @Test func boundsAreTold() {
    func entries(_ count: Int, _ entry: (Int) -> String) -> String {
      (0..<count).map { entry($0) + "\n" }.joined()
    }
    func pools(_ count: Int) -> [String] {
      OwnFiles.refusal(
        entries(count) { "{pool: p\($0), of: {models: [a]}, limit: 1, window: day}" })
    }
    #expect(pools(64).isEmpty)
    #expect(
      pools(65) == [
        "c.yaml:67: budgetd.budgets[64]: these are 65 pools: at most 64 are taken"
      ])
    func windows(_ count: Int) -> String {
      entries(count) { "{tag: a, limit: 1, window: \($0 + 1)d}" }
    }
    #expect(OwnFiles.refusal(windows(16)).isEmpty)
    #expect(
      OwnFiles.refusal(windows(17)) == [
        "c.yaml:19: budgetd.budgets[16]: the tag 'a' has 17 windows: a name has at most 16"
      ])
    // LiteLLM's budget is one of them.
    let own = "litellm_settings: {tag_budget_config: {a: {max_budget: 1, budget_duration: 1mo}}}\n"
    #expect(
      OwnFiles.refusal(windows(16), before: own) == [
        "c.yaml:19: budgetd.budgets[15]: the tag 'a' has 17 windows: a name has at most 16"
      ])
    // So are those that patterns give; each window counts once.
    let patterns = "{tag: '*', limit: 1, window: 1h}\n{tag: 'b*', limit: 1, window: 1d}\n"
    #expect(OwnFiles.refusal(windows(15) + patterns).isEmpty)
    #expect(
      OwnFiles.refusal(windows(16) + patterns) == [
        "c.yaml:18: budgetd.budgets[15]: the tag 'a' has 17 windows, those of shorter patterns among them: "
          + "a name has at most 16"
      ])
    let many = OwnFiles.refusal(
      entries(BudgetPattern.maximumCount + 2) { "{tag: 'p\($0)-*', limit: 1, window: day}" })
    #expect(
      many == ["c.yaml:1003: budgetd.budgets[1000]: this is pattern 1001: at most 1000 are taken"])
  }

  @Test func aPoolHasABoundedNumberOfMembers() {
    let names = (0...OwnBudgetReader.maximumMembers).map { "m\($0)" }.joined(separator: ", ")
    #expect(
      OwnFiles.refusal("{pool: p, of: {models: [\(names)]}, limit: 1, window: day}").first
        == "c.yaml:3: budgetd.budgets[0].of.models: these are 10001: a pool has at most 10000 of a kind"
    )
  }
}
