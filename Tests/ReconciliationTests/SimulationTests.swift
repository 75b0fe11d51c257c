import Foundation
import Reconciliation
import Testing

/// Whole fleets in virtual time, with the script and the reconciler that production runs.
@Suite struct SimulationTests {
  @Test(arguments: Scenario.all) func holds(_ scenario: Scenario) throws {
    let result = Campaign.run(scenario, script: SpendScript.text)
    for failure in result.failures { Issue.record("\(failure)") }
  }
}
