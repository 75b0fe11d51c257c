import BudgetEngine
import BudgetModel

/// Collects a scenario's requests, the costs that were recorded, with what was reserved for them
/// and what operators changed meanwhile, and plays them with and without reservations.
struct OverspendPlay {
  private let scenario: Scenario
  private let configuration: BudgetConfiguration
  private let plan: OverspendPlan
  private var traffic = OverspendTraffic()
  /// The reserve steps so far, by their names in the trace.
  private var reserved: [String: Scenario.ReserveAction] = [:]
  private var stepCount = 0

  init(_ scenario: Scenario, _ configuration: BudgetConfiguration, _ plan: OverspendPlan) {
    self.scenario = scenario
    self.configuration = configuration
    self.plan = plan
  }

  mutating func add(_ step: Scenario.Step) {
    stepCount += 1
    switch step.action {
    case .record(let action):
      guard let cost = try? PicoUSD(dollars: action.cost, atMost: .maximumRecord) else { return }
      traffic.requests.append(
        OverspendRequest(
          action: action, cost: cost, reserved: reserved[action.reservation], at: step.at,
          step: stepCount))
    case .reserve(let action): reserved[action.id] = action
    case .change(let change, wantsRefusal: _):
      traffic.changes.append(OverspendChange(change: change, at: step.at, step: stepCount))
    case .filter, .release, .extend, .budgets, .sync, .lost: break
    }
  }

  var report: OverspendReport {
    var report = OverspendReport(name: scenario.name)
    report.requests = traffic.requests.count
    for request in traffic.requests { report.cost += request.cost }
    report.without = played(reserves: false)
    report.with = played(reserves: true)
    return report
  }

  private func played(reserves: Bool) -> OverspendReport.Mode {
    let player = ScenarioPlayer(
      configuration: configuration, windows: scenario.windows, start: scenario.start)
    var run = OverspendRun(player, plan, traffic, start: scenario.start)
    return run.play(reserves: reserves)
  }
}
