import Foundation
import Reconciliation
import Testing

/// Operators who reset budgets on any node while all record and push: old windows are over for good, new
/// ones hold what came after, once.
///
/// `BUDGETD_RESET_SEEDS` makes it longer.
@Suite struct ResetSimulationTests {
  private static let seeds = Int(Campaign.environment("BUDGETD_RESET_SEEDS") ?? "") ?? 100

  @Test(arguments: Scenario.operatorsResets) func isFinal(_ scenario: Scenario) throws {
    let result = Campaign.run(
      scenario, script: SpendScript.text,
      seeds: max(1, Self.seeds / Scenario.operatorsResets.count))
    for failure in result.failures { Issue.record("\(failure)") }
    let hasResets = result.outcomes["RESET", default: 0] > result.seeds / 2
    #expect(hasResets || result.seeds == 0, "\(result.outcomes)")
  }
}

extension Scenario {
  private static func resets(_ name: String, _ other: Scenario, of steps: Double = 0.02) -> Scenario
  {
    var scenario = other
    scenario.name = "resets on nodes: " + name
    scenario.nodeReset = steps
    (scenario.reset, scenario.nodeSkew) = (0, 0)
    return scenario
  }

  static let operatorsResets = [
    resets("network", .network), resets("losses", .lostKeys), resets("rollover", .rollover),
    resets("rollover with losses", .rolloverWithLosses), resets("calendars", .calendars),
    resets("reloads", .reloads), resets("dynamic", .dynamic),
    resets("dynamic calendars", .dynamicCalendars), resets("LiteLLM", .besideLiteLLM),
    resets("LiteLLM rollover", .liteLLMRollover),
  ]
}
