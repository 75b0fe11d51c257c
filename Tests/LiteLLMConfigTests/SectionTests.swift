import BudgetModel
import Documents
import Testing

@testable import LiteLLMConfig

/// Sections that stand twice, that nearly are LiteLLM's, and that hold what nobody may see.
@Suite struct SectionTests {
  private func load(
    _ yaml: String, environment: [String: String] = [:], redis: RedisChoice = .off
  ) throws -> LiteLLMConfig {
    try LiteLLMConfigLoader(environment: environment, redis: redis).load(yaml: yaml, file: "c.yaml")
  }

  private func warnings(_ yaml: String, environment: [String: String] = [:]) throws -> [String] {
    try load(yaml, environment: environment).warnings.map(\.description)
  }

  private func refusal(_ yaml: String, redis: RedisChoice = .off) -> [String] {
    let error = #expect(throws: DocumentError.self, "\(yaml)") { try load(yaml, redis: redis) }
    return error?.problems.map(\.description) ?? []
  }

  @Test(arguments: [
    // A budget, another limit of it, a Redis, a cache that is one, a deployment with a budget.
    (
      "router_settings: {provider_budget_config: {openai: {budget_limit: 1, time_period: 1d}}}\n"
        + "router_settings: {provider_budget_config: {openai: {budget_limit: 2, time_period: 1d}}}\n",
      "provider_budget_config.openai"
    ),
    (
      "router_settings: {redis_host: h, redis_port: 1}\nrouter_settings: {num_retries: 1}\n",
      "router_settings.redis_host, router_settings.redis_port"
    ),
    (
      "general_settings: {coordination_redis: {host: h, port: 1}}\ngeneral_settings: {}\n",
      "general_settings.coordination_redis"
    ),
    (
      "litellm_settings: {cache: true, cache_params: {type: redis, host: h}}\nlitellm_settings: {}\n",
      "litellm_settings.cache_params"
    ),
    (
      "model_list: [{model_name: a, litellm_params: {model: openai/b, max_budget: 1}}]\nmodel_list: []\n",
      "the deployment a (openai/b)"
    ),
    ("environment_variables: {REDIS_HOST: h}\nenvironment_variables: {A: b}\n", "REDIS_HOST"),
    (
      "litellm_settings: {tag_budget_config: {t: {max_budget: 1, budget_duration: 1d}}}\n"
        + "litellm_settings:\n",
      "litellm_settings.tag_budget_config.t"
    ),
  ]) func aRepetitionThatLosesABudgetOrARedisIsRefused(yaml: String, what: String) {
    let problems = refusal(yaml)
    #expect(problems.count == 1)
    #expect(problems.first?.contains("\(what) of line 1 would be lost") == true, "\(problems)")
  }

  @Test(arguments: [
    ("model_list: []\nmodel_list: []\n", "loses nothing of line 1"),
    (
      "model_list: [{model_name: a, litellm_params: {model: openai/b}}]\nmodel_list: []\n",
      "the deployment a (openai/b) of line 1 is lost"
    ),
    (
      "litellm_settings: {cache_params: {type: s3}}\nlitellm_settings: {}\n",
      "litellm_settings.cache_params of line 1 is lost"
    ),
    (
      "general_settings: {a: 1, b: 2, c: 3, d: 4}\ngeneral_settings: {}\n",
      "general_settings.a, general_settings.b, general_settings.c and 1 more of line 1 is lost"
    ),
    (
      "router_settings: {redis_host: h, redis_port: 1}\nrouter_settings: {redis_url: 'redis://i'}\n",
      "router_settings.redis_host, router_settings.redis_port of line 1 is lost"
    ),
  ]) func anotherRepetitionIsAWarning(yaml: String, words: String) throws {
    let lines = try warnings(yaml)
    #expect(lines.count == 1)
    #expect(lines.first?.contains(words) == true, "\(lines)")
  }

  @Test func theSameAgainLosesNothing() throws {
    let entry = "    openai: {budget_limit: 1, time_period: 1d}\n"
    let lines = try warnings("router_settings:\n  provider_budget_config:\n" + entry + entry)
    #expect(
      lines == [
        "c.yaml:4: router_settings.provider_budget_config.openai: this provider has the same budget a "
          + "second time: keep one"
      ])
  }

  @Test func variablesOfTheFileAreReadAsLiteLLMReadsThem() throws {
    let yaml = """
      router_settings:
        provider_budget_config:
          openai: {budget_limit: os.environ/LIMIT, time_period: os.environ/WINDOW}
      environment_variables:
        LIMIT: 5
        WINDOW: 1d
        REDIS_HOST: os.environ/OTHER
        REDIS_PORT: 7
        REDIS_DB:
        HOME: /nowhere
        REDIS_PASSWORD: os.environ/NOPE
      """
    let config = try load(
      yaml, environment: ["WINDOW": "2d", "OTHER": "o", "REDIS_DB": "3", "REDIS_PASSWORD": "mine"],
      redis: .configured(password: nil))
    // The process's own comes first in a reference, and the file's where Redis is looked up.
    #expect(config.budgets.budgets.map(\.key.description) == ["provider openai per 2d"])
    #expect(config.budgets.budgets.map(\.limit?.exactText) == ["5"])
    #expect(config.redis?.description == "o:7, database 3, with a password")
    #expect(config.redis?.password?.revealed == "mine")
    #expect(
      config.warnings.map(\.description) == [
        "c.yaml:11: environment_variables.REDIS_PASSWORD: the environment variable NOPE is not set, so "
          + "this has no value: set it"
      ])
  }

  @Test func valuesOfVariablesAreInNoMessage() {
    let secret = "s3cr3t"
    for (yaml, words) in [
      (
        "environment_variables: {REDIS_HOST: h, REDIS_PORT: s3cr3t}",
        "environment_variables.REDIS_PORT"
      ),
      ("environment_variables: {REDIS_URL: 'http://s3cr3t'}", "environment_variables.REDIS_URL"),
      ("environment_variables: s3cr3t", "write NAME: value"),
      (
        "environment_variables: {A: s3cr3t}\nrouter_settings: {provider_budget_config: {openai: "
          + "{budget_limit: os.environ/A, time_period: os.environ/A}}}", "a value that is not shown"
      ),
    ] {
      let problems = refusal(yaml, redis: .configured(password: nil))
      #expect(!problems.isEmpty)
      for problem in problems {
        #expect(problem.contains(words) && !problem.contains(secret), "\(problem)")
      }
    }
  }

  @Test func aProviderMapOfItsOwnNamesWhatPrefixesMean() throws {
    let yaml = """
      model_list:
      - {model_name: a, litellm_params: {model: mine/x}, model_info: {id: a}}
      - {model_name: b, litellm_params: {model: y, custom_llm_provider: other}, model_info: {id: b}}
      - {model_name: c, litellm_params: {model: house}, model_info: {id: c}}
      litellm_settings:
        custom_provider_map:
        - {provider: mine, custom_handler: h.h}
        - {provider: os.environ/P, custom_handler: h.h}
        - {provider: 5, custom_handler: h.h}
      """
    let map = try ProviderMap(yaml: "house: mapped", file: "m.yaml")
    let loader = LiteLLMConfigLoader(environment: ["P": "other"], providerMap: map)
    let config = try loader.load(yaml: yaml, file: "c.yaml")
    #expect(config.budgets.deployments.map(\.provider) == ["mine", "other", "mapped"])
    #expect(
      config.warnings.map(\.description) == [
        "c.yaml:9: litellm_settings.custom_provider_map[2].provider: this names no provider, so its models "
          + "have none: write a name as a text"
      ])
  }

  @Test(arguments: [
    ("modle_list: []\nrouter_settings: {}", "did you mean model_list?"),
    ("router-settings: {}\nmodel_list: []", "did you mean router_settings?"),
    ("general_setting: {}\nmodel_list: []", "did you mean general_settings?"),
    ("a: 1\nb: 2\nc: 3\nd: 4", "(a, b, c and 1 more)"),
    ("litellm_settings: {provider_budgets: {a: {}}}", "router_settings.provider_budget_config"),
    ("router_settings: {provider_budget_confg: {a: {}}}", "router_settings.provider_budget_config"),
    (
      "apiVersion: v1\nkind: ConfigMap\ndata:\n  proxy.yaml: |\n    model_list: []\n",
      "yq '.data[\"proxy.yaml\"]' c.yaml"
    ),
  ]) func strangersAreNamed(yaml: String, words: String) throws {
    let lines = try warnings(yaml)
    #expect(lines.contains { $0.contains(words) }, "\(lines)")
    #expect(lines.count <= 2)
  }

  @Test func aPlainConfigurationHasNoStrangers() throws {
    let yaml = """
      model_list: []
      router_settings: {routing_strategy: simple-shuffle, enable_tag_filtering: true}
      general_settings: {master_key: k, proxy_budget_rescheduler_min_time: 5}
      litellm_settings: {callbacks: [prometheus], cache: false}
      guardrails: []
      mcp_servers: {}
      """
    #expect(try warnings(yaml).isEmpty)
  }

  @Test func anIDThatIsNullIsWaitedFor() throws {
    let config = try load(
      """
      model_list:
      - model_name: g
        litellm_params: {model: openai/x, max_budget: 3, budget_duration: 1d}
        model_info: {id: null}
      """)
    #expect(config.budgets.budgets.isEmpty)
    #expect(config.waitingBudgets.map(\.reason) == ["the id is null"])
    #expect(config.warnings.map(\.message).first?.contains("write model_info.id") == true)
  }

  @Test func anUnsetPasswordIsNotSent() throws {
    let config = try load(
      "router_settings: {redis_host: h, redis_port: 1, redis_password: os.environ/NOPE}",
      redis: .configured(password: nil))
    #expect(config.redis?.description == "h:1")
    #expect(
      config.warnings.map(\.message).first?.contains("NOPE is not set, so no password") == true)
  }

  @Test func parametersThatLiteLLMDoesNotTakeAreNamedWithoutTheirValues() throws {
    let yaml = """
      model_list:
      - {model_name: a, litellm_params: {model: openai/x, api_key: 12345678}, model_info: {id: a}}
      - {model_name: b, litellm_params: {model: openai/x, rpm: 60/min}, model_info: {id: b}}
      - {model_name: c, litellm_params: {model: openai/x, rpm: "60", tpm: 6.0}, model_info: {id: c}}
      - {model_name: d, litellm_params: {model: langfuse/x, custom_llm_provider: ''}, model_info: {id: d}}
      """
    let config = try load(yaml)
    #expect(config.deploymentFacts.map { $0.droppedBecause != nil } == [true, true, false, false])
    #expect(config.deploymentFacts[0].droppedBecause == "api_key is a number, not a text: quote it")
    #expect(!config.warnings.contains { $0.message.contains("12345678") })
  }
}
