import BudgetEngine
import BudgetModel
import JSONWriting

/// One scenario while it is played, and what came out so far.
struct ScenarioPlay {
  private let name: String
  private var player: ScenarioPlayer
  private var results: [StepResult] = []
  private var differences: [String] = []
  private var stepCount = 0
  private var lostSteps = 0

  init(_ scenario: Scenario, _ configuration: BudgetConfiguration) {
    name = scenario.name
    player = ScenarioPlayer(
      configuration: configuration, windows: scenario.windows, start: scenario.start)
  }

  /// The config was expected to be refused.
  mutating func noteAcceptedConfig() {
    differences.append("\(name): the config is accepted, expected a refusal")
  }

  /// Plays the next step.
  mutating func play(_ step: Scenario.Step) {
    stepCount += 1
    player.advance(to: step.at)
    switch step.action {
    case .sync: break
    case .lost(let count): lostSteps += count
    case .record(let action):
      let isAccepted = player.record(action, at: step.at)
      if isAccepted == action.wantsRefusal {
        add([isAccepted ? "recorded, expected a refusal" : "refused, expected a record"])
      }
    case .filter(let action):
      let result = player.filter(action, at: step.at)
      results.append(.filter(result))
      add(StepCheck.differences(result, action))
    case .reserve(let action):
      let result = player.reserve(action, at: step.at)
      results.append(.reserve(result))
      add(StepCheck.differences(result, action.filter))
    case .release(let id): player.release(id, at: step.at)
    case .extend(let id, let ttl): player.extend(id, byMilliseconds: ttl, at: step.at)
    case .change(let change, let wantsRefusal):
      let refusal = player.make(change, at: step.at)
      if (refusal != nil) != wantsRefusal {
        add([refusal.map { "refused (\($0)), expected a change" } ?? "changed, expected a refusal"])
      }
    case .budgets(let expected):
      let reports = player.budgets(at: step.at)
      results.append(.budgets(reports))
      add(StepCheck.differences(reports, expected))
    }
  }

  private mutating func add(_ found: [String]) {
    differences += found.map { "\(name), step \(stepCount): \($0)" }
  }

  /// The results.
  var outcome: TraceReplay.Outcome {
    TraceReplay.Outcome(
      line: JSONValue.object([
        ("name", .string(name)), ("results", .array(results.map(\.json))),
      ]).text(.python), differences: differences, lostSteps: lostSteps)
  }
}
