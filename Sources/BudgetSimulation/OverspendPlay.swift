import BudgetEngine
import BudgetModel

/// Collects a scenario's requests, the costs that were recorded, and plays them with and without
/// reservations.
struct OverspendPlay {
  private let scenario: Scenario
  private let configuration: BudgetConfiguration
  private let plan: OverspendPlan
  private var requests: [OverspendRequest] = []

  init(_ scenario: Scenario, _ configuration: BudgetConfiguration, _ plan: OverspendPlan) {
    self.scenario = scenario
    self.configuration = configuration
    self.plan = plan
  }

  mutating func add(_ step: Scenario.Step) {
    guard case .record(let action) = step.action,
      let cost = try? PicoUSD(dollars: action.cost, atMost: .maximumRecord)
    else { return }
    requests.append(OverspendRequest(action: action, cost: cost, at: step.at))
  }

  var report: OverspendReport {
    var report = OverspendReport(name: scenario.name)
    report.requests = requests.count
    for request in requests { report.cost += request.cost }
    report.without = played(reserves: false)
    report.with = played(reserves: true)
    return report
  }

  private func played(reserves: Bool) -> OverspendReport.Mode {
    let player = ScenarioPlayer(
      configuration: configuration, windows: scenario.windows, start: scenario.start)
    var run = OverspendRun(player, plan, start: scenario.start)
    return run.play(requests, reserves: reserves)
  }
}
