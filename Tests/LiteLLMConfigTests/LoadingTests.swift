import BudgetModel
import Documents
import Testing

@testable import LiteLLMConfig

@Suite struct LoadingTests {
  private static let yaml = """
    router_settings:
      routing_strategy: simple-shuffle
      provider_budget_config:
        openai: {budget_limit: 0.000000000001, time_period: 1d}
        azure: {max_budget: "1_000", budget_duration: 1mo}
        anthropic: {budget_limit: null, time_period: 7d}
        groq: {budget_limit: 0, time_period: hourly, note: fine}
        mistral: {budget_limit: 1e-12, max_budget: 1.0e-12, time_period: 30d, budget_duration: 30d}
        cohere: {budget_limit: os.environ/LIMIT, time_period: os.environ/WINDOW}
    model_list:
    - model_name: gpt-4o
      litellm_params: {model: openai/gpt-4o, max_budget: 100, budget_duration: 30d}
      model_info: {id: my-id}
    - model_name: gpt-4o
      litellm_params: {model: azure/gpt-4o, max_budget: " 5 ", budget_duration: 1d}
      model_info: {id: 17}
    - model_name: other
      litellm_params: {model: gpt-4o, custom_llm_provider: my_own, api_key: os.environ/NOPE}
      model_info: {id: third}
    - model_name: gpt-4o
      litellm_params: {model: openai/gpt-4o, max_budget: 100.0, budget_duration: 30d}
      model_info: {id: my-id}
    litellm_settings:
      tag_budget_config:
        "product:chat-bot": {max_budget: 10, budget_duration: 1d}
        "only window": {budget_duration: 1d}
    """

  @Test func aConfigurationIsRead() throws {
    let loader = LiteLLMConfigLoader(environment: [
      "LIMIT": "2.5", "WINDOW": "os.environ/W2", "W2": "2d",
    ])
    let config = try loader.load(yaml: Self.yaml, file: "c.yaml")
    #expect(
      config.budgets.budgets.map { "\($0.key): \($0.limit?.exactText ?? "-")" } == [
        "provider openai per 1d: 0.000000000001", "provider azure per 1mo: 1000",
        "provider anthropic per 7d: -", "provider groq per hourly: 0",
        "provider mistral per 30d: 0.000000000001", "provider cohere per 2d: 2.5",
        "deployment my-id per 30d: 100", "deployment 17 per 1d: 5",
        "tag product:chat-bot per 1d: 10",
        "tag only window per 1d: -",
      ])
    #expect(
      config.budgets.deployments.map {
        "\($0.modelName) \($0.id) \($0.model) \($0.provider ?? "-")"
      }
        == [
          "gpt-4o my-id openai/gpt-4o openai", "gpt-4o 17 azure/gpt-4o azure",
          "other third gpt-4o my_own", "gpt-4o my-id openai/gpt-4o openai",
        ])
    #expect(
      config.warnings.map(\.description) == [
        "c.yaml:7: router_settings.provider_budget_config.groq: the limit is 0: nothing may be spent; "
          + "no limit is written null",
        "c.yaml:17: model_list[2].litellm_params.custom_llm_provider: LiteLLM's proxy drops this "
          + "deployment and goes on without it: LiteLLM knows no provider 'my_own', and "
          + "litellm_settings.custom_provider_map does not name it",
      ])
  }

  @Test func aTraceConfigurationIsRead() throws {
    let json = #"""
      {"provider_budget_config": {"openai": {"budget_limit": 1.0, "time_period": "1d"}},
       "tag_budget_config": {"t": {"budget_limit": 2, "time_period": "1d"}},
       "model_list": [{"model_name": "g", "litellm_params": {"model": "openai/gpt-4o",
         "max_budget": 1, "budget_duration": "1d"}, "model_info": {"id": "o1"}}]}
      """#
    let config = try LiteLLMConfigLoader(environment: [:]).load(
      document: DocumentNode.parse(json: json), file: "t.jsonl")
    #expect(
      config.budgets.budgets.map(\.key.description) == [
        "provider openai per 1d", "deployment o1 per 1d", "tag t per 1d",
      ])
    let empty = try LiteLLMConfigLoader(environment: [:]).load(
      document: DocumentNode.parse(json: "{}"), file: "t.jsonl")
    #expect(empty.budgets.budgets.isEmpty)
  }

  @Test func doubtfulThingsAreWarnedOf() throws {
    let yaml = """
      router_settings:
        provider_budget_config:
          opneai: {budget_limit: 1, time_period: 1d}
          zzzzzzz: {budget_limit: 1, time_period: 1d}
          mine: {budget_limit: 1, time_period: 1d}
          mapped: {budget_limit: 1, time_period: 1d}
      model_list:
      - {model_name: g, litellm_params: {model: claude-3-opus-20240229}}
      - {model_name: g, litellm_params: {model: claude-3-opus-20240229}}
      - {model_name: g, litellm_params: {model: x, custom_llm_provider: mine}}
      - {model_name: g, litellm_params: {model: house-model}}
      """
    let map = try ProviderMap(yaml: "house-model: mapped", file: "m.yaml")
    let loader = LiteLLMConfigLoader(environment: [:], providerMap: map)
    let config = try loader.load(yaml: yaml, file: "c.yaml")
    #expect(
      config.warnings.map(\.description) == [
        "c.yaml:3: router_settings.provider_budget_config.opneai: no provider is known as 'opneai', so "
          + "only requests that name it count here: did you mean openai?",
        "c.yaml:4: router_settings.provider_budget_config.zzzzzzz: no provider is known as 'zzzzzzz', so "
          + "only requests that name it count here",
        "c.yaml:8: model_list[0].litellm_params.model: no rule names a provider for "
          + "'claude-3-opus-20240229', so no provider's budget counts it and LiteLLM's proxy drops it: "
          + "set custom_llm_provider, or add it to the provider map",
        "c.yaml:10: model_list[2].litellm_params.custom_llm_provider: LiteLLM's proxy drops this "
          + "deployment and goes on without it: LiteLLM knows no provider 'mine', and "
          + "litellm_settings.custom_provider_map does not name it",
      ])
    #expect(config.budgets.deployments.map(\.provider) == [nil, nil, "mine", "mapped"])
  }

  @Test func largeGroupsAreWarnedOf() throws {
    let entries = (0..<1_025).map {
      "- {model_name: g, litellm_params: {model: openai/x}, model_info: {id: \($0)}}\n"
    }
    let config = try LiteLLMConfigLoader(environment: [:]).load(
      yaml: "model_list:\n" + entries.joined(), file: "c.yaml")
    #expect(
      config.warnings.map(\.description) == [
        "c.yaml:2: model_list: 1025 deployments share the model_name 'g': more than 1024 cannot be "
          + "filtered by that name"
      ])
  }

  @Test func mergedParametersAndAnchorsCount() throws {
    let yaml = """
      shared: &shared {max_budget: 5, budget_duration: 1d}
      model_list:
      - {model_name: g, litellm_params: {<<: *shared, model: openai/x}, model_info: {id: a}}
      - {model_name: g, litellm_params: {<<: *shared, model: openai/y, max_budget: 7}, model_info: {id: b}}
      """
    let config = try LiteLLMConfigLoader(environment: [:]).load(yaml: yaml, file: "c.yaml")
    #expect(config.budgets.budgets.map(\.limit?.exactText) == ["5", "7"])
  }

  @Test func namesThatOnlyLookAlikeAreTwo() throws {
    let yaml = """
      litellm_settings:
        tag_budget_config:
          "caf\\u00e9": {max_budget: 1, budget_duration: 1d}
          "cafe\\u0301": {max_budget: 2, budget_duration: 1d}
      """
    let config = try LiteLLMConfigLoader(environment: [:]).load(yaml: yaml, file: "c.yaml")
    #expect(config.budgets.budgets.map(\.limit?.exactText) == ["1", "2"])
  }

  @Test func providerMapsAreReadOrRefused() throws {
    let map = try ProviderMap(yaml: "# mine\nhouse: openai\n\"a/b\": x\n", file: "m.yaml")
    #expect(map.models.map(\.model) == ["house", "a/b"])
    #expect(map.models.map(\.provider) == ["openai", "x"])
    #expect(try ProviderMap(yaml: "", file: "m.yaml").models.isEmpty)
    let yaml = "a: 1\n2: openai\nb: ''\nc: x\nc: y\n"
    let error = #expect(throws: DocumentError.self) { try ProviderMap(yaml: yaml, file: "m.yaml") }
    #expect(
      error?.problems.map(\.description) == [
        "m.yaml:1: a: the provider is the number 1: write its name as a text, such as openai",
        "m.yaml:2: 2: this key is the number 2, not a text: quote it",
        "m.yaml:3: b: of the provider the name is empty: give it 1 to 256 bytes",
        "m.yaml:5: c: this model stands here a second time, and only the last one would count: keep one",
      ])
    let list = #expect(throws: DocumentError.self) { try ProviderMap(yaml: "- a", file: "m.yaml") }
    #expect(
      list?.description == "m.yaml:1: this is a list: it has to be a mapping of model to provider")
  }
}
