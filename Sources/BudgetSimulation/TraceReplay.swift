import BudgetModel
public import LiteLLMConfig

/// Replays a trace, scenario after scenario.
///
/// A trace is JSON lines: `{"name", "start", "config", "steps": [...]}`, steps `record`, `filter`
/// and `budgets` with `at` in seconds since `start`.
public struct TraceReplay: Sendable {
  /// What became of one scenario.
  public struct Outcome: Sendable {
    /// One line of JSON: the results, the refusal of the config, or why it was skipped.
    public let line: String
    /// How the results differ from what the trace expects, one sentence each.
    public let differences: [String]
  }

  private let override: BudgetConfiguration?
  private let loader: LiteLLMConfigLoader

  /// Replays with each scenario's own config, or with `config` in place of them all.
  public init(loader: LiteLLMConfigLoader, config: LiteLLMConfig? = nil) {
    self.loader = loader
    override = config?.budgets
  }

  /// Replays one line of a trace. `number` is the line's, for errors.
  public func replay(_ line: String, number: Int) throws(TraceError) -> Outcome {
    let scenario = try Scenario(json: line, line: number)
    if let reason = scenario.skipReason {
      return Outcome(
        line: JSONText.object([
          ("name", .string(scenario.name)), ("skipped", .string(reason)),
        ]).text, differences: [])
    }
    let configuration: BudgetConfiguration
    do throws(ConfigError) {
      if let override {
        configuration = override
      } else {
        configuration = try loader.load(document: scenario.config, file: "config").budgets
      }
    } catch {
      return Outcome(
        line: JSONText.object([
          ("name", .string(scenario.name)), ("config_error", .string(error.description)),
        ]).text,
        differences: scenario.wantsConfigError
          ? [] : ["\(scenario.name): the config is refused: \(error)"])
    }
    return play(scenario, configuration)
  }

  private func play(_ scenario: Scenario, _ configuration: BudgetConfiguration) -> Outcome {
    var player = ScenarioPlayer(configuration: configuration, start: scenario.start)
    var results: [StepResult] = []
    var differences: [String] = []
    if scenario.wantsConfigError, override == nil {
      differences.append("\(scenario.name): the config is accepted, expected a refusal")
    }
    for (index, step) in scenario.steps.enumerated() {
      func add(_ found: [String]) {
        differences += found.map { "\(scenario.name), step \(index + 1): \($0)" }
      }
      switch step.action {
      case .sync: break
      case .record(let action):
        let isAccepted = player.record(action, at: step.at)
        if isAccepted == action.wantsRefusal {
          add([isAccepted ? "recorded, expected a refusal" : "refused, expected a record"])
        }
      case .filter(let action):
        let result = player.filter(action, at: step.at)
        results.append(.filter(result))
        add(StepCheck.differences(result, action))
      case .budgets(let expected):
        let reports = player.budgets(at: step.at)
        results.append(.budgets(reports))
        add(StepCheck.differences(reports, expected))
      }
    }
    return Outcome(
      line: JSONText.object([
        ("name", .string(scenario.name)), ("results", .array(results.map(\.json))),
      ]).text, differences: differences)
  }
}
