import BudgetModel
import Documents
import Testing

@testable import LiteLLMConfig

/// One refused configuration and all that is said about it.
struct Refusal: CustomTestStringConvertible, Sendable {
  var yaml: String
  var problems: [String]

  init(_ yaml: String, _ problems: String...) {
    self.yaml = yaml
    self.problems = problems
  }

  /// Budgets of providers, from line 3 on.
  static func providers(_ entries: String, _ problems: String...) -> Refusal {
    var refusal = Refusal("router_settings:\n  provider_budget_config:\n" + indented(entries, 4))
    refusal.problems = problems.map { problem in
      let (line, rest) = split(problem)
      return "c.yaml:\(line): router_settings.provider_budget_config\(rest)"
    }
    return refusal
  }

  /// The parameters and further keys of a deployment, from line 4 on.
  static func deployment(_ parameters: String, _ more: String = "", _ problems: String...)
    -> Refusal
  {
    var refusal = Refusal(
      "model_list:\n- model_name: g\n  litellm_params:\n    model: openai/gpt-4o\n"
        + indented(parameters, 4) + indented(more, 2))
    refusal.problems = problems.map { problem in
      let (line, rest) = split(problem)
      return "c.yaml:\(line): model_list[0]\(rest)"
    }
    return refusal
  }

  private static func split(_ problem: String) -> (Substring, Substring) {
    let line = problem.prefix { $0 != " " }
    return (line, problem.dropFirst(line.count + 1))
  }

  private static func indented(_ text: String, _ width: Int) -> String {
    text.split(separator: "\n").map { String(repeating: " ", count: width) + $0 + "\n" }.joined()
  }

  var testDescription: String { problems.first ?? yaml }
}

@Suite struct RefusalTests {
  private static let forms =
    "write a number and one of s, m, h, d, w, mo (30d, 1mo), or hourly, daily, weekly, monthly"

  static let documents: [Refusal] = [
    Refusal("", "c.yaml:1: the configuration is empty: it has to be a mapping"),
    Refusal("- a", "c.yaml:1: the configuration is a list: it has to be a mapping"),
    Refusal(
      "router_settings: 5",
      "c.yaml:1: router_settings: this is the number 5: it has to be a mapping"),
    Refusal(
      "router_settings:\n  provider_budget_config: [a]",
      "c.yaml:2: router_settings.provider_budget_config: this is a list: it has to be a mapping of "
        + "names to budgets"),
    Refusal(
      "litellm_settings:\n  tag_budget_config: x",
      "c.yaml:2: litellm_settings.tag_budget_config: this is 'x': it has to be a mapping of names to "
        + "budgets"),
    Refusal(
      "model_list: {a: 1}",
      "c.yaml:1: model_list: this is a mapping: it has to be a list of deployments"),
    Refusal(
      "model_list: os.environ/LIST",
      "c.yaml:1: model_list: a section cannot come from the environment: write it here"),
    Refusal(
      "router_settings: {provider_budget_config: {openai: {budget_limit: 1, time_period: 1d}}}\n"
        + "router_settings: {}",
      "c.yaml:2: router_settings: 'router_settings' stands here a second time, and only the last one "
        + "would count: router_settings.provider_budget_config.openai of line 1 would be lost: join them"
    ),
    Refusal(
      "router_settings:\n  tag_budget_config: {}\n",
      "c.yaml:2: router_settings.tag_budget_config: LiteLLM looks for this under litellm_settings only: "
        + "move it there"),
    Refusal(
      "provider_budget_config: {}\n",
      "c.yaml:1: provider_budget_config: LiteLLM looks for this under router_settings only: move it "
        + "there"),
    Refusal(
      "include: [more.yaml]\n",
      "c.yaml:1: include: there is no file more.yaml: write it, or its path"),
  ]

  static let budgets: [Refusal] = [
    .providers(
      "openai:\n", "3 .openai: this budget is null: give it a budget_limit and a time_period"),
    .providers(
      "openai: 5\n",
      "3 .openai: this budget is the number 5: give it a budget_limit and a time_period"),
    .providers(
      "openai: {}\n",
      "3 .openai: this budget has no limit and no window: give it a budget_limit, and a time_period, "
        + "such as {budget_limit: 100, time_period: 30d}"),
    .providers(
      "openai: {budget_limit: 1}\n",
      "3 .openai: this budget has a limit but no window, so LiteLLM would never enforce it: give it a "
        + "time_period, such as 30d"),
    .providers(
      "openai: {budget_limit: -1, time_period: 1d}",
      "3 .openai.budget_limit: the limit is negative, the number -1: write 0 (nothing may be spent) or more"
    ),
    .providers(
      "openai: {budget_limit: .nan, time_period: 1d}",
      "3 .openai.budget_limit: the limit is the number nan, not a finite number: write dollars from 0 to "
        + "1000000000000000, or null for unlimited"),
    .providers(
      "openai: {budget_limit: 'inf', time_period: 1d}",
      "3 .openai.budget_limit: the limit is 'inf', not a finite number: write dollars from 0 to "
        + "1000000000000000, or null for unlimited"),
    .providers(
      "openai: {budget_limit: -.inf, time_period: 1d}",
      "3 .openai.budget_limit: the limit is the number -inf, not a finite number: write dollars from 0 to "
        + "1000000000000000, or null for unlimited"),
    .providers(
      "openai: {budget_limit: 1000000000000001, time_period: 1d}",
      "3 .openai.budget_limit: the limit is the number 1000000000000001, more than the highest one, "
        + "1000000000000000 $: write less, or null for unlimited"),
    .providers(
      "openai: {budget_limit: ten, time_period: 1d}",
      "3 .openai.budget_limit: the limit is 'ten': write dollars as a number, such as 12.5, or null for "
        + "unlimited"),
    .providers(
      "openai: {budget_limit: yes, time_period: 1d}",
      "3 .openai.budget_limit: the limit is the truth value true: write dollars as a number, such as "
        + "12.5, or null for unlimited"),
    .providers(
      "openai: {budget_limit: [1], time_period: 1d}",
      "3 .openai.budget_limit: the limit is a list: write dollars as a number, such as 12.5, or null for "
        + "unlimited"),
    .providers(
      "openai: {budget_limit: os.environ/NOPE, time_period: 1d}",
      "3 .openai.budget_limit: the environment variable NOPE is not set: set it, or write the value"
    ),
    .providers(
      "openai: {budget_limit: 1, time_period: 60}",
      "3 .openai.time_period: the window is the number 60, without a unit: did you mean '60s'?"),
    .providers(
      "openai: {budget_limit: 1, time_period: 1.5}",
      "3 .openai.time_period: the window is the number 1.5: write a text, such as 30d"),
    .providers(
      "openai: {budget_limit: 1, time_period: 1d12h}",
      "3 .openai.time_period: '1d12h' is misleading, LiteLLM would read it as 1d: \(forms)"),
    .providers(
      "openai: {budget_limit: 1, time_period: 0s}",
      "3 .openai.time_period: '0s' is a window of no length, nothing would be enforced: \(forms)"),
    .providers(
      "openai: {budget_limit: 1, time_period: \"1d\\0\"}",
      "3 .openai.time_period: the window's text has a control character: leave it out"),
    .providers(
      "openai: {budget_limt: 1, time_period: 1d}",
      "3 .openai.budget_limt: unknown spelling 'budget_limt': did you mean budget_limit?"),
    .providers(
      "openai:\n  limit: 1\n  period: 1d\n",
      "4 .openai.limit: unknown spelling 'limit': did you mean budget_limit?",
      "5 .openai.period: unknown spelling 'period': did you mean time_period?"),
    .providers(
      "openai:\n  budget: 1\n  budget_duraton: 1d\n",
      "4 .openai.budget: unknown spelling 'budget': did you mean budget_limit?",
      "5 .openai.budget_duraton: unknown spelling 'budget_duraton': did you mean budget_duration?"),
    .providers(
      "openai: {budget_limit: 1, max_budget: 2, time_period: 1d}",
      "3 .openai.max_budget: budget_limit and max_budget are two spellings of one thing and differ here: "
        + "keep one"),
    .providers(
      "openai: {budget_limit: null, max_budget: 2, time_period: 1d}",
      "3 .openai.max_budget: budget_limit and max_budget are two spellings of one thing and differ here: "
        + "keep one"),
    .providers(
      "openai: {max_budget: 2, time_period: 1d, budget_duration: 24h}",
      "3 .openai.budget_duration: time_period and budget_duration are two spellings of one thing and "
        + "differ here: keep one"),
    .providers(
      "openai: {max_budget: 2, max_budget: 3, time_period: 1d}",
      "3 .openai.max_budget: 'max_budget' stands here a second time, and only the last one would count: "
        + "join them"),
    .providers(
      "openai: {budget_limit: 1, time_period: 1d}\nazure: {budget_limit: 1, time_period: 1d}\n"
        + "openai: {budget_limit: 2, time_period: 1d}\n",
      "5 .openai: this provider has a second budget, and only the last one would count: keep one"),
    .providers(
      "123: {budget_limit: 1, time_period: 1d}",
      "3 .123: this key is the number 123, LiteLLM would compare it with texts and never match: quote it"
    ),
    .providers(
      "yes: {budget_limit: 1, time_period: 1d}",
      "3 .True: this key is the truth value true, LiteLLM would compare it with texts and never match: "
        + "quote it"),
    .providers(
      "'': {budget_limit: 1, time_period: 1d}",
      "3 .'': the name is empty: give it 1 to 256 bytes"),
    .providers(
      "\"a\\u0085\": {budget_limit: 1, time_period: 1d}",
      "3 .'a\\u{85}': the name has a control character: leave it out"),
    .providers(
      "openai: {budget_limit: x, time_period: 1x}\nazure: {budget_limit: -5}\n",
      "3 .openai.budget_limit: the limit is 'x': write dollars as a number, such as 12.5, or null for "
        + "unlimited", "3 .openai.time_period: '1x' has no known unit: \(forms)",
      "4 .azure.budget_limit: the limit is negative, the number -5: write 0 (nothing may be spent) or more"
    ),
  ]

  static let deployments: [Refusal] = [
    .deployment(
      "max_budget: 1", "",
      "5 .litellm_params: this deployment has max_budget but no budget_duration beside it, so LiteLLM "
        + "would never enforce it: give it both or none"),
    .deployment(
      "budget_duration: 1d", "",
      "5 .litellm_params: this deployment has budget_duration but no max_budget beside it, so LiteLLM "
        + "would never enforce it: give it both or none"),
    .deployment(
      "max_budget: true\nbudget_duration: 5", "",
      "5 .litellm_params.max_budget: the limit is the truth value true: write dollars as a number, such as "
        + "12.5, or null for unlimited",
      "6 .litellm_params.budget_duration: the window is the number 5, without a unit: did you mean '5s'?"
    ),
    .deployment(
      "budget_limit: 1\ntime_period: 1d", "",
      "5 .litellm_params.budget_limit: unknown spelling 'budget_limit': did you mean max_budget?",
      "6 .litellm_params.time_period: unknown spelling 'time_period': did you mean budget_duration?"
    ),
    .deployment(
      "max_bugdet: 1", "",
      "5 .litellm_params.max_bugdet: unknown spelling 'max_bugdet': did you mean max_budget?"),
    .deployment(
      "max_budget: os.environ/NOPE\nbudget_duration: 1d", "",
      "5 .litellm_params.max_budget: the environment variable NOPE is not set: set it, or write the value"
    ),
    .deployment(
      "", "model_info: {id: 1.5}",
      "5 .model_info.id: the id is the number 1.5, not a text: quote it"),
    .deployment(
      "max_budget: 1\nbudget_duration: 1d", "litellm_params: {model: openai/x}",
      "7 .litellm_params: 'litellm_params' stands here a second time, and only the last one would count: "
        + "model_list[0].litellm_params.max_budget, model_list[0].litellm_params.budget_duration of line "
        + "4 would be lost: join them"),
    .deployment(
      "model: os.environ/NOPE", "",
      "5 .litellm_params.model: the environment variable NOPE is not set, so this is missing: set it"
    ),
    Refusal(
      "environment_variables: {LATE: openai/x}\nmodel_list:\n- model_name: g\n"
        + "  litellm_params: {model: os.environ/LATE}",
      "c.yaml:4: model_list[0].litellm_params.model: the environment variable LATE is not set for the "
        + "process, so this is missing: LiteLLM replaces references before it sets the file's "
        + "environment_variables; set it for the process, or write the value here"),
    .deployment(
      "custom_llm_provider: 5", "",
      "5 .litellm_params.custom_llm_provider: this is the number 5, not a text: quote it"),
    .deployment(
      "", "model_info: {id: ''}", "5 .model_info.id: the name is empty: give it 1 to 256 bytes"),
    .deployment("", "model_info: 7", "5 .model_info: this is the number 7: it has to be a mapping"),
    Refusal(
      "model_list: [a]", "c.yaml:1: model_list[0]: this is 'a': a deployment has to be a mapping"),
    Refusal(
      "model_list:\n- model_name: 4\n  litellm_params: {model: 5}",
      "c.yaml:2: model_list[0].model_name: this is the number 4, not a text: quote it",
      "c.yaml:3: model_list[0].litellm_params.model: this is the number 5, not a text: quote it"),
    Refusal(
      "model_list:\n- litellm_params: {}",
      "c.yaml:2: model_list[0].model_name: this is missing: a deployment has to have it",
      "c.yaml:2: model_list[0].litellm_params.model: this is missing: a deployment has to have it"),
    Refusal(
      "model_list:\n- model_name: g",
      "c.yaml:2: model_list[0].litellm_params: this is missing: a deployment has to have it"),
    Refusal(
      "model_list:\n- {model_name: g, litellm_params: [1]}",
      "c.yaml:2: model_list[0].litellm_params: this is a list: it has to be a mapping"),
    Refusal(
      "model_list:\n- {model_name: g, litellm_params: {model: openai/a, h: {2024-01-15: 1}}}",
      "c.yaml:2: model_list[0].litellm_params: LiteLLM can compute no id, since a date is a key here: set "
        + "model_info.id, or quote it"),
    Refusal(
      """
      model_list:
      - {model_name: g, litellm_params: {model: openai/a, max_budget: 1, budget_duration: 1d}, model_info: {id: x}}
      - {model_name: h, litellm_params: {model: openai/b, max_budget: 2, budget_duration: 1d}, model_info: {id: x}}
      """,
      "c.yaml:3: model_list[1]: the deployment 'x' has another budget in line 2: give both the same, or "
        + "different ids"),
  ]

  @Test(arguments: documents + budgets + deployments)
  func refusedWithAllThatIsWrong(refusal: Refusal) {
    let loader = LiteLLMConfigLoader(environment: ["LIST": "x"])
    let error = #expect(throws: DocumentError.self) {
      try loader.load(yaml: refusal.yaml, file: "c.yaml")
    }
    #expect(error?.problems.map(\.description) == refusal.problems)
  }

  @Test func manyProblemsAreCounted() {
    let entries = (0..<1_500).map { "    p\($0): 1\n" }.joined()
    let yaml = "router_settings:\n  provider_budget_config:\n" + entries
    let error = #expect(throws: DocumentError.self) {
      try LiteLLMConfigLoader(environment: [:]).load(yaml: yaml, file: "c.yaml")
    }
    #expect(error?.problems.count == 1_001)
    #expect(error?.problems.last?.description == "c.yaml:1002: and 500 more like these")
  }
}
