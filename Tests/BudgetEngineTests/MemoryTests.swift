import BudgetEngine
import BudgetModel
import CAllocationCount
import Testing

@Suite struct MemoryTests {
  /// The memory of a budget while nothing happens: its state, its key, its place in the look-ups.
  @Test(arguments: [10, 64]) func aBudgetTakesAtMostTheBytesItMay(nameBytes: Int) throws {
    guard allocation_count_is_available() else { return }
    let count = 50_000
    let configuration = configuration(of: count, nameBytes: nameBytes)
    let before = allocated_bytes()
    let engine = BudgetEngine(configuration: configuration, at: at(0))
    let perBudget = (allocated_bytes() - before) / count
    // Its own bytes were there before.
    withExtendedLifetime(configuration) {}
    print("bytes for a budget with a name of \(nameBytes) bytes: \(perBudget)")
    #expect(engine.catalog.budgets.count == count)
    // The name is kept once. A counter that sees nothing would find less than a state's size.
    #expect((128...284 + nameBytes).contains(perBudget))
  }

  /// A reload of the same budgets leaves no second copy behind.
  @Test func aReloadKeepsNothingOfTheOldConfiguration() throws {
    guard allocation_count_is_available() else { return }
    let count = 50_000
    let configuration = configuration(of: count, nameBytes: 20)
    let engine = BudgetEngine(configuration: configuration, at: at(0))
    let before = allocated_bytes()
    for second in 1...3 { _ = engine.reload(configuration, at: at(Double(second))) }
    let grown = (allocated_bytes() - before) / count
    withExtendedLifetime(configuration) {}
    #expect(grown < 10, "\(grown) bytes a budget more after three reloads")
  }

  private func configuration(of count: Int, nameBytes: Int) -> BudgetConfiguration {
    var budgets: [BudgetDefinition] = []
    var deployments: [ConfiguredDeployment] = []
    for number in 0..<count {
      let digits = String(number)
      let name = String(repeating: "0", count: nameBytes - digits.utf8.count) + digits
      budgets.append(
        BudgetDefinition(
          key: BudgetKey(scope: .deployment, name: name, windowText: "1d"),
          windowLength: .seconds(86_400), limit: PicoUSD(dollars: 5)))
      deployments.append(
        ConfiguredDeployment(
          id: name, modelName: "gpt-4o", model: "openai/gpt-4o-mini", provider: "openai"))
    }
    return BudgetConfiguration(budgets: budgets, deployments: deployments, directory: .empty)
  }
}
