import Reconciliation
import Testing

/// Whole fleets that reserve, with the script, the reconciler and the waiting room of production.
@Suite struct ClaimSimulationTests {
  @Test(arguments: ClaimScenario.all) func holds(_ scenario: ClaimScenario) throws {
    let failures = ClaimCampaign.run(scenario, script: SpendScript.text)
    for failure in failures { Issue.record("\(failure)") }
  }
}

enum ClaimCampaign {
  /// Runs seeds until three have failed.
  static func run(_ scenario: ClaimScenario, script: String) -> [String] {
    if let only = Campaign.environment("BUDGETD_SIMULATION_SCENARIO"),
      !only.split(separator: ",").contains(Substring(scenario.name))
    {
      return []
    }
    let wanted = Campaign.environment("BUDGETD_SIMULATION_SEED").flatMap { UInt64($0) }
    // Half as many as of fleets without reservations: each takes longer.
    let count = max(1, Campaign.seeds / 2 / ClaimScenario.all.count)
    var failures: [String] = []
    var (over, worst, used, deferred, raises) = (0.0, 0.0, 0.0, 0, 0)
    let seeds = wanted.map { [$0] } ?? Array(Campaign.first..<Campaign.first + UInt64(count))
    for seed in seeds {
      do {
        let world = try ClaimWorld(scenario, seed: seed, script: script, isTraced: wanted != nil)
        defer { if wanted != nil { print(world.trace.joined(separator: "\n")) } }
        try world.run()
        let result = world.watch.result(world)
        over += result.over
        worst = max(worst, result.over)
        used += result.used
        deferred += world.watch.deferred
        raises += world.watch.raises
      } catch {
        failures.append("\(scenario.name), seed \(seed): \(error)")
        if failures.count >= 3 { return failures }
      }
    }
    if Campaign.environment("BUDGETD_SIMULATION_SEEDS") != nil {
      let number = Double(seeds.count)
      print(
        "claims, \(scenario.name): \(seeds.count) seeds, over \(over / number * 100) %, worst "
          + "\(worst * 100) %, used \(used / number * 100) %, deferred \(deferred), raises \(raises)"
      )
    }
    return failures
  }
}
