import SeededRandom
import Testing

@testable import LiteLLMConfig

@Suite struct RandomTextTests {
  /// Whatever the text: an answer, or a problem, never a crash.
  @Test func randomTextsNeverCrash() {
    let seed = UInt64.random(in: 0 ... .max)
    print("random YAML, seed \(seed)")
    var random = SeededRandom(seed: seed)
    let pieces = [
      "router_settings", "provider_budget_config", "model_list", "litellm_params", "model",
      "openai",
      "max_budget", "time_period", "tag_budget_config", "litellm_settings", ":", ": ", "- ", "\n",
      "\n  ", "\n    ", "{", "}", "[", "]", ",", "&a ", "*a", "<<: ", "!!int ", "!x ", "\"", "'",
      "1d",
      "1e-12", "~", "yes", "0x", "|\n", ">", "%", "@", "\t", "#", "---\n", "\u{FEFF}", "é", "\u{0}",
      "?",
      "os.environ/X", "budgetd:", "budgets:", "{tag: a*, limit: 1, window: month}", "window: ",
      "- {pool: p, of: {models: [a, b*]}, window: 1d}",
      "- {total: true, begins_on: 3, window: week}",
      "time_zone: ", "max_budget: 5", "budget_duration: 30d", "model_group_alias: ",
    ]
    let loader = LiteLLMConfigLoader(environment: ["X": "1"])
    for _ in 0..<20_000 {
      let count = Int.random(in: 0..<30, using: &random)
      let text = (0..<count).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
      _ = try? loader.load(yaml: text, file: "c.yaml")
      let bytes = (0..<count).map { _ in UInt8.random(in: 0 ... .max, using: &random) }
      _ = try? loader.load(yaml: bytes, file: "c.yaml")
    }
  }
}
