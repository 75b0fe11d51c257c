import BudgetModel
import Documents
import JSONWriting
public import LiteLLMConfig

/// Replays a trace, scenario after scenario.
///
/// A trace is JSON lines: `{"name", "start", "config", "steps": [...]}`, steps `record`, `filter`
/// and `budgets` with `at` in seconds since `start`. With `"stream": true` in place of `steps` these
/// follow, a line each, until the next scenario. deploy/trace-format.md has it all.
public struct TraceReplay: Sendable {
  /// The result of one scenario.
  public struct Outcome: Sendable {
    /// One line of JSON: the results, the refusal of the config, or why it was skipped.
    public let line: String
    /// How the results differ from what the trace expects, one sentence each.
    public let differences: [String]
    /// Whether it was not played: one node without Redis cannot.
    public var isSkipped = false
    /// How many steps the trace is missing.
    public var lostSteps = 0
    /// The overspend of its requests, if that was asked.
    public var overspend: OverspendReport?
  }

  private let override: BudgetConfiguration?
  private let loader: LiteLLMConfigLoader
  /// The scenario whose steps follow, and its start.
  private var stream: (play: Play?, refusal: Outcome?, start: Timestamp)?
  private let overspend: OverspendPlan?

  /// A scenario under way.
  private enum Play {
    case steps(ScenarioPlay)
    case overspend(OverspendPlay)

    mutating func play(_ step: Scenario.Step) {
      switch self {
      case .steps(var play):
        play.play(step)
        self = .steps(play)
      case .overspend(var play):
        play.add(step)
        self = .overspend(play)
      }
    }

    var outcome: Outcome {
      switch self {
      case .steps(let play): return play.outcome
      case .overspend(let play):
        var outcome = Outcome(line: "", differences: [])
        outcome.overspend = play.report
        return outcome
      }
    }
  }

  /// Replays with each scenario's own config, or with `config` in place of them all. With `overspend`
  /// its requests are sent to that fleet instead.
  public init(
    loader: LiteLLMConfigLoader, config: LiteLLMConfig? = nil, overspend: OverspendPlan? = nil
  ) {
    self.loader = loader
    self.overspend = overspend
    override = config?.budgets
  }

  private func play(_ scenario: Scenario, _ configuration: BudgetConfiguration) -> Play {
    overspend.map { .overspend(OverspendPlay(scenario, configuration, $0)) }
      ?? .steps(ScenarioPlay(scenario, configuration))
  }

  /// Whether steps of a scenario may follow.
  public var isInStream: Bool { stream != nil }

  /// Takes the next line of a trace; returns the scenarios that ended with it. `number` is the line's,
  /// for errors.
  public mutating func add(_ line: String, number: Int) throws(TraceError) -> [Outcome] {
    if let stream, let step = try? Scenario.Step(json: line, from: stream.start, line: number) {
      self.stream?.play?.play(step)
      return []
    }
    let scenario: Scenario
    do throws(TraceError) {
      scenario = try Scenario(json: line, line: number)
    } catch {
      // An unreadable step says better what is wrong with it.
      if let stream { _ = try Scenario.Step(json: line, from: stream.start, line: number) }
      throw error
    }
    let before = finish().map { [$0] } ?? []
    guard scenario.isStream else { return before + [outcome(of: scenario)] }
    switch configuration(of: scenario) {
    case .success(let configuration):
      stream = (play(scenario, configuration), nil, scenario.start)
    case .failure(let refusal): stream = (nil, refusal.outcome, scenario.start)
    }
    return before
  }

  /// The trace has ended: the outcome of the scenario whose steps came last, if there is one.
  public mutating func finish() -> Outcome? {
    defer { stream = nil }
    return stream.flatMap { $0.play?.outcome ?? $0.refusal }
  }

  /// Replays a scenario that one line holds. `number` is the line's, for errors.
  public func replay(_ line: String, number: Int) throws(TraceError) -> Outcome {
    outcome(of: try Scenario(json: line, line: number))
  }

  private func outcome(of scenario: Scenario) -> Outcome {
    if let reason = scenario.skipReason {
      return Outcome(
        line: JSONValue.object([
          ("name", .string(scenario.name)), ("skipped", .string(reason)),
        ]).text(.python), differences: [], isSkipped: true)
    }
    switch configuration(of: scenario) {
    case .failure(let refusal): return refusal.outcome
    case .success(let configuration):
      var play = play(scenario, configuration)
      if scenario.wantsConfigError, override == nil, case .steps(var steps) = play {
        steps.noteAcceptedConfig()
        play = .steps(steps)
      }
      for step in scenario.steps { play.play(step) }
      return play.outcome
    }
  }

  private struct Refusal: Error {
    let outcome: Outcome
  }

  private func configuration(
    of scenario: Scenario
  ) -> Result<BudgetConfiguration, Refusal> {
    if let override { return .success(override) }
    do throws(DocumentError) {
      return .success(try loader.load(document: scenario.config, file: "config").budgets)
    } catch {
      let line = JSONValue.object([
        ("name", .string(scenario.name)), ("config_error", .string(error.description)),
      ]).text(.python)
      return .failure(
        Refusal(
          outcome: Outcome(
            line: line,
            differences: scenario.wantsConfigError
              ? [] : ["\(scenario.name): the config is refused: \(error)"])))
    }
  }
}
