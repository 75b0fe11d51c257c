import Foundation
import Testing

/// Many seeds of one scenario.
enum Campaign {
  struct Result {
    var failures: [String] = []
    var seeds = 0
    var outcomes: [String: Int] = [:]
  }

  /// Seeds over all scenarios together.
  static let seeds = Int(environment("BUDGETD_SIMULATION_SEEDS") ?? "") ?? 200
  /// The first of each scenario's, so that a long run goes on where one before has ended.
  static let first = UInt64(environment("BUDGETD_SIMULATION_FIRST") ?? "") ?? 1

  static func environment(_ name: String) -> String? {
    ProcessInfo.processInfo.environment[name]
  }

  /// Runs so many seeds from `first` on, or the one that the environment asks for, until three have failed.
  static func run(
    _ scenario: Scenario, script: String, seeds: Int? = nil, failureBound: Int = 3
  ) -> Result {
    var result = Result()
    let wanted = environment("BUDGETD_SIMULATION_SEED").flatMap { UInt64($0) }
    let count = seeds ?? max(1, Campaign.seeds / Scenario.all.count)
    if let only = environment("BUDGETD_SIMULATION_SCENARIO"),
      !only.split(separator: ",").contains(Substring(scenario.name))
    {
      return result
    }
    for seed in wanted.map({ [$0] }) ?? Array(first..<first + UInt64(count)) {
      result.seeds += 1
      do {
        let world = try World(scenario, seed: seed, script: script, isTraced: wanted != nil)
        defer {
          if wanted != nil { print(world.trace.joined(separator: "\n")) }
          result.outcomes.merge(world.watch.outcomes, uniquingKeysWith: +)
        }
        try world.run()
      } catch {
        result.failures.append(
          "\(scenario.name), seed \(seed): \(error)\nits trace: BUDGETD_SIMULATION_SCENARIO="
            + "'\(scenario.name)' BUDGETD_SIMULATION_SEED=\(seed) swift test --filter SimulationTests"
        )
        if result.failures.count >= failureBound { return result }
      }
    }
    if environment("BUDGETD_SIMULATION_SEEDS") != nil {
      print(
        "\(scenario.name): \(result.seeds) seeds, \(result.outcomes.sorted { $0.key < $1.key })")
    }
    return result
  }
}
