import BudgetModel
import Documents
import Foundation
import Testing

@testable import LiteLLMConfig

/// Real configurations, and the result of reading each.
@Suite struct CaseTests {
  private static let folder = TestFiles.folder.appending(path: "Cases")

  /// Reads a case with the variables `environment`; paths in messages are the cases' own.
  private func load(
    _ name: String, environment: [String: String] = [:], redis: RedisChoice = .off
  ) throws -> LiteLLMConfig {
    let files = Self.folder
    let includes = ConfigIncludes(
      workingFolder: "/",
      exists: { FileManager.default.fileExists(atPath: files.appending(path: $0).path) },
      bytes: { path throws(DocumentError) in
        try ConfigFile.bytes(path: files.appending(path: path).path)
      })
    let loader = LiteLLMConfigLoader(environment: environment, redis: redis)
    let bytes = try ConfigFile.bytes(path: files.appending(path: name).path)
    return try loader.load(yaml: bytes, file: name, includes: includes)
  }

  private func budgets(_ config: LiteLLMConfig) -> [String] {
    config.budgets.budgets.map { "\($0.key): \($0.limit?.exactText ?? "-")" }
  }

  private func refusal(_ name: String) -> [String] {
    let error = #expect(throws: DocumentError.self) { try load(name) }
    return error?.problems.map(\.description) ?? []
  }

  private func warnings(_ config: LiteLLMConfig) -> [String] { config.warnings.map(\.description) }

  @Test func aRedisInTheFilesVariablesIsUsedBeforeTheProcesss() throws {
    let config = try load(
      "01-environment-variables-redis.yaml", environment: ["REDIS_HOST": "elsewhere"],
      redis: .configured(password: nil))
    #expect(config.redis?.description == "127.0.0.1:6379")
    #expect(config.redis?.origin == "environment_variables.REDIS_HOST")
    #expect(budgets(config) == ["provider anthropic per 1d: 10"])
    #expect(warnings(config).isEmpty)
  }

  @Test func aProviderOfTheFilesOwnHandlersIsAProvider() throws {
    let config = try load("03-custom-provider-map.yaml")
    #expect(config.budgets.deployments.map(\.provider) == ["acp"])
    #expect(config.budgets.directory.names.contains("acp"))
    #expect(warnings(config).isEmpty)
  }

  @Test func aBudgetWaitsForAnIDThatHangsOnASecret() throws {
    let name = "04-budgeted-deployment-key-from-env.yaml"
    let config = try load(name)
    #expect(budgets(config).isEmpty)
    #expect(config.budgets.deployments.map(\.modelName) == ["gpt-4o"])
    #expect(
      config.waitingBudgets.map { "\($0.modelName) \($0.limit?.exactText ?? "-") \($0.windowText)" }
        == ["gpt-4o 20 1d"])
    #expect(
      warnings(config) == [
        "\(name):3: model_list[0]: the id of this budgeted deployment depends on a variable, and "
          + "OPENAI_API_KEY is not set: its budget waits for its id and nothing is charged to it: set "
          + "model_info.id, which records then name"
      ])
    let known = try load(name, environment: ["OPENAI_API_KEY": "sk"])
    #expect(known.waitingBudgets.isEmpty && known.budgets.budgets.count == 1)
  }

  @Test func anUnsetVariableIsNamed() {
    #expect(
      refusal("05-model-from-unset-env.yaml") == [
        "05-model-from-unset-env.yaml:5: model_list[0].litellm_params.model: the environment variable "
          + "KAI_BULK_MODEL is not set, so this is missing: set it"
      ])
  }

  @Test func aHalfBudgetIsToldAllThatItLacks() throws {
    let misplaced = try load("06-model-info-max-budget.yaml")
    #expect(
      warnings(misplaced) == [
        "06-model-info-max-budget.yaml:6: model_list[0].model_info.max_budget: not enforced here, nor by "
          + "LiteLLM, which looks for it under litellm_params only: move it there, with a "
          + "budget_duration beside it"
      ])
    #expect(budgets(misplaced).isEmpty)
    let lacking = refusal("07-max-budget-without-duration.yaml")
    #expect(lacking.count == 1 && lacking[0].contains("no budget_duration beside it"))
  }

  @Test func aRepeatedSectionNamesWhatItLoses() throws {
    #expect(
      warnings(try load("08-duplicate-section.yaml")) == [
        "08-duplicate-section.yaml:10: litellm_settings: 'litellm_settings' stands here a second time, "
          + "and only the last one counts: litellm_settings.set_verbose of line 6 is lost"
      ])
  }

  @Test func includedFilesAreRead() throws {
    let config = try load("09-include/config.yaml")
    #expect(config.budgets.deployments.map(\.modelName) == ["root", "a"])
    #expect(config.budgets.budgets.map(\.limit?.exactText) == ["10", "5"])
    #expect(config.includedFiles == ["09-include/models/a.yaml"])
    #expect(
      warnings(config).first?.hasPrefix("09-include/models/a.yaml:2: model_list[1]: ") == true)
  }

  @Test func aHostWithoutAPortIsNoRedis() throws {
    let name = "10-redis-host-without-port.yaml"
    let config = try load(name, redis: .configured(password: nil))
    #expect(config.redis == nil)
    #expect(
      warnings(config) == [
        "\(name):3: router_settings.redis_host: LiteLLM's router ignores this without redis_port, so it "
          + "names no Redis: give both, or neither"
      ])
    let other = try load(
      name, environment: ["REDIS_HOST": "e"], redis: .configured(password: nil))
    #expect(other.redis?.description == "e:6379")
    // Nobody who names another Redis is told of this one.
    #expect(try load(name).warnings.isEmpty)
  }

  @Test func aLimitOfNothingIsWarnedOf() throws {
    let config = try load("12-limit-zero-means-unlimited-to-its-author.yaml")
    #expect(budgets(config) == ["provider ollama per 1d: 0"])
    #expect(
      warnings(config).map { $0.split(separator: ": ").dropFirst(2).joined(separator: ": ") } == [
        "the limit is 0: nothing may be spent; no limit is written null"
      ])
  }

  @Test(arguments: [
    ("14a-unknown-limit-key.yaml", "and no limit and no window: did you mean budget_limit?"),
    ("14b-unknown-limit-key-follow-the-advice.yaml", "and no limit: did you mean budget_limit?"),
  ]) func anUnknownKeyInThePlaceOfALimitIsRefused(name: String, words: String) {
    let problems = refusal(name)
    #expect(problems.count == 1)
    #expect(problems.first?.contains("openai.monthly_budget: unknown key") == true)
    #expect(problems.first?.contains(words) == true)
  }

  @Test func nearMissesAreNamed() throws {
    let warnings = warnings(try load("15-section-names-misspelt.yaml"))
    #expect(warnings.count == 2)
    #expect(warnings[0].contains("did you mean router_settings.provider_budget_config"))
    #expect(warnings[1].contains("did you mean litellm_settings.tag_budget_config"))
  }

  @Test func aFileOfValuesIsRecognised() throws {
    let warnings = warnings(try load("16a-helm-values-whole.yaml"))
    #expect(warnings.count == 1)
    #expect(warnings[0].hasPrefix("16a-helm-values-whole.yaml:3: proxy_config: "))
    #expect(warnings[0].contains("yq .proxy_config 16a-helm-values-whole.yaml > config.yaml"))
  }

  @Test func deploymentsThatLiteLLMDropsAreListedAsSuch() throws {
    let config = try load("18-deployments-litellm-drops.yaml")
    #expect(config.deploymentFacts.map { $0.droppedBecause != nil } == [true, true, true, false])
    #expect(config.deploymentFacts.map(\.index) == [0, 1, 2, 3])
    #expect(warnings(config).count == 3)
    let production = try load(
      "18-deployments-litellm-drops.yaml", environment: ["LITELLM_ENVIRONMENT": "production"])
    #expect(production.deploymentFacts[2].droppedBecause == nil)
    let staging = try load(
      "18-deployments-litellm-drops.yaml", environment: ["LITELLM_ENVIRONMENT": "staging"])
    #expect(staging.deploymentFacts[2].droppedBecause != nil)
  }

  @Test func aTabBetweenTokensIsRefused() {
    #expect(
      refusal("19-tab-before-comment.yaml") == [
        "19-tab-before-comment.yaml:5:23: no valid YAML: found a tab where no token can start, as PyYAML "
          + "does: write a blank"
      ])
  }

  @Test func otherBudgetsAreNamedOneByOne() throws {
    let config = try load("20-other-budgets.yaml")
    #expect(budgets(config) == ["total per month: 500"])
    let lines = warnings(config)
    #expect(
      lines.map { $0.split(separator: " ")[1] } == [
        "general_settings.max_budget:", "litellm_settings.max_end_user_budget:",
        "litellm_settings.max_internal_user_budget:",
        "litellm_settings.default_internal_user_params:",
        "litellm_settings.upperbound_key_generate_params:",
        "litellm_settings.default_team_settings:",
      ])
    for line in lines { #expect(line.contains(": not enforced here: "), "\(line)") }
  }

  @Test func namesAreFoundAsLiteLLMFindsThem() throws {
    let config = try load("21-alias-and-wildcard.yaml")
    #expect(warnings(config).isEmpty)
    #expect(config.budgets.aliases == ["gpt-4": "gpt-4o"])
    let groups = ConfiguredModels(config.budgets)
    #expect(
      ["gpt-4", "openai/gpt-4o-mini", "claude-sonnet-4-5", "gpt-5"].map(groups.meaning) == [
        .group("gpt-4o"), .group("openai/*"), .group("claude-*"), .group("openai/*"),
      ])
  }
}
