import Reconciliation
import Testing

/// The tests notice what they are there to notice: each broken rule is caught.
@Suite struct MutantTests {
  @Test(arguments: Mutant.all) func isCaught(_ mutant: Mutant) throws {
    let script = try #require(mutant.script, "the script has no such place any more")
    if mutant.scenarios.isEmpty {
      #expect(try ScriptRules(script: script).broken() != [])
      return
    }
    for scenario in mutant.scenarios {
      let result = Campaign.run(
        mutant.scenario(scenario), script: script, seeds: mutant.seeds, failureBound: 1)
      if let failure = result.failures.first {
        print("\(mutant.testDescription): \(result.seeds) seeds, \(failure.prefix(60))")
        return
      }
    }
    Issue.record("\(mutant.testDescription) survives \(mutant.seeds) seeds")
  }

  @Test func theScriptItselfKeepsEveryRule() throws {
    let broken = try ScriptRules(script: SpendScript.text).broken()
    #expect(broken.isEmpty, "\(broken)")
  }
}
