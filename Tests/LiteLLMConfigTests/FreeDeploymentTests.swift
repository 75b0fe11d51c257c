import BudgetModel
import Testing

@testable import LiteLLMConfig

/// Deployments whose configured prices are all 0.
@Suite struct FreeDeploymentTests {
  private static let zero = "input_cost_per_token: 0, output_cost_per_token: 0"

  @Test(arguments: [
    (zero, "", true), ("", zero, true),
    ("input_cost_per_token: 0", "output_cost_per_token: 0", true),
    ("input_cost_per_token: '0.0', output_cost_per_token: 0.0", "", true),
    ("input_cost_per_token: os.environ/ZERO, output_cost_per_token: os.environ/ZERO", "", true),
    (zero + ", input_cost_per_second: 0, cache_read_input_token_cost: null", "", true),
    (zero + ", search_context_cost_per_query: {low: 0, high: 0.0}", "", true),
    (zero, "cost_center: research", true),
    ("", "", false), ("input_cost_per_token: 0", "", false),
    ("output_cost_per_token: 0", "", false),
    ("input_cost_per_token: 0, output_cost_per_token: null", "", false),
    ("input_cost_per_token: 0, output_cost_per_token: os.environ/NOPE", "", false),
    (zero, "input_cost_per_token: 1e-6", false), ("output_cost_per_token: 1e-6", zero, false),
    (zero + ", input_cost_per_second: 0.1", "", false),
    (zero + ", output_cost_per_image: 0.1", "", false),
    (zero, "input_cost_per_character: 1e-9", false),
    (zero, "output_cost_per_audio_token: '1e-9'", false), (zero, "input_cost_per_query: x", false),
    (zero, "cache_creation_input_token_cost: 1e-9", false),
    (zero, "input_cost_per_pixel: true", false),
    (zero, "search_context_cost_per_query: {low: 0, high: 0.1}", false),
    (zero, "tiered_pricing: [{input_cost_per_token: 1.0e-6, range: [0, 1000]}]", false),
  ]) func isFree(parameters: String, info: String, isFree: Bool) throws {
    let yaml = """
      model_list:
      - model_name: a
        litellm_params: {model: openai/a\(parameters.isEmpty ? "" : ", ")\(parameters)}
        model_info: {id: a\(info.isEmpty ? "" : ", ")\(info)}
      """
    let config = try OwnFiles.load(yaml, environment: ["ZERO": "0"])
    #expect(config.budgets.deployments.map(\.isFree) == [isFree])
  }
}
