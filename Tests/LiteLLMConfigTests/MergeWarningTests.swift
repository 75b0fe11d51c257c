import Documents
import Testing

@testable import LiteLLMConfig

/// The warnings about lists of merges, which releases of PyYAML read otherwise.
@Suite struct MergeWarningTests {
  private func warnings(_ deployment: String, _ info: String = "") throws -> [String] {
    let yaml = """
      a: &a {api_base: 'https://x', max_budget: 5, budget_duration: 1d}
      b: &b {api_key: k, max_budget: 7, rpm: 5}
      model_list:
      - model_name: g
        litellm_params: \(deployment)
        \(info)
      """
    return try LiteLLMConfigLoader(environment: [:]).load(yaml: yaml, file: "c.yaml").warnings
      .map(\.description).filter { $0.contains("PyYAML") }
  }

  @Test func anIDThatDependsOnTheReleaseIsWarnedOf() throws {
    let id =
      "c.yaml:4: model_list[0].litellm_params: several mappings are merged here, which PyYAML 6.0.4 "
      + "reads in another order than 6.0.3, so the id of this budgeted deployment differs between "
      + "hosts: set model_info.id"
    let limit =
      "c.yaml:5: model_list[0].litellm_params.max_budget: several mappings are merged here"
    let both = try warnings("{<<: [*a, *b], model: openai/x}")
    #expect(both.count == 2 && both[1].hasPrefix(limit) && both[0] == id)
    // Its own value is no question of order; the id still is.
    #expect(try warnings("{<<: [*a, *b], model: openai/x, max_budget: 1}") == [id])
    let given = try warnings("{<<: [*a, *b], model: openai/x}", "model_info: {id: i}")
    #expect(given.count == 1 && given[0].hasPrefix(limit))
    #expect(
      try warnings("{<<: [*a, *b], model: openai/x, max_budget: null, budget_duration: null}") == []
    )
    #expect(try warnings("{<<: *a, model: openai/x}") == [])
    let inner = "{model: openai/x, max_budget: 1, budget_duration: 1d, h: {<<: [{aa: 1}, {bb: 2}]}}"
    #expect(try warnings(inner) == [id])
  }

  @Test func aProvidersLimitThatDependsOnTheReleaseIsWarnedOf() throws {
    let yaml = """
      a: &a {budget_limit: 5, time_period: 1d}
      b: &b {budget_limit: 7}
      router_settings:
        provider_budget_config:
          openai: {<<: [*a, *b]}
          azure: {<<: [*a, *b], budget_limit: 6}
      """
    let config = try LiteLLMConfigLoader(environment: [:]).load(yaml: yaml, file: "c.yaml")
    #expect(
      config.warnings.map(\.description) == [
        "c.yaml:5: router_settings.provider_budget_config.openai.budget_limit: several mappings are "
          + "merged here, and from PyYAML 6.0.4 on the last one's value counts, not the first one's, "
          + "which counts here: write the value itself"
      ])
  }
}
