import BudgetEngine
import BudgetModel
import Locks
import PrometheusText

/// The labels of the budgets in force: escaped once for each configuration, not at each scrape.
final class BudgetLabels: Sendable {
  /// The budgets with samples, and their labels.
  struct Exported: Sendable {
    var generation: UInt64 = 0
    /// Of which the budgets are: an operator's change is another one of the same configuration.
    var edition: UInt64 = 0
    var budgets: [CatalogBudget] = []
    var labels: [LabelSet] = []
    /// The positions of providers' budgets that are LiteLLM's, with the name under its label.
    var providers: [(position: Int, labels: LabelSet)] = []
    /// By scope: budgets in force, and those without samples.
    var counts: [(scope: BudgetScope, inForce: Int, omitted: Int)] = []
  }

  private let last = Locked(Exported())

  func exported(of catalog: BudgetCatalog, _ bounds: PageBounds) -> Exported {
    let known = last.withLock { $0 }
    if known.generation == catalog.generation { return current(known, in: catalog) }
    var exported = Exported(generation: catalog.generation, edition: catalog.edition)
    for scope in BudgetScope.inOrder {
      let budgets = catalog.budgets(scope)
      let isShown = budgets.count <= bounds.budgets(scope)
      exported.counts.append((scope, budgets.count, isShown ? 0 : budgets.count))
      guard isShown else { continue }
      for budget in budgets {
        let key = budget.definition.key
        exported.budgets.append(budget)
        exported.labels.append(
          LabelSet([
            ("scope", scope.description), ("name", key.name), ("window", key.windowText),
          ]))
        if scope == .provider, budget.definition.origin == .liteLLM {
          exported.providers.append(
            (exported.labels.count - 1, LabelSet([("api_provider", key.name)])))
        }
      }
    }
    last.withLock { $0 = exported }
    return exported
  }

  /// The same labels with the limits and modes in force.
  private func current(_ known: Exported, in catalog: BudgetCatalog) -> Exported {
    if known.edition == catalog.edition { return known }
    var exported = known
    exported.edition = catalog.edition
    exported.budgets = known.counts.filter { $0.omitted == 0 }.flatMap { catalog.budgets($0.scope) }
    last.withLock { $0 = exported }
    return exported
  }

  /// The labels of spend that no budget was charged with.
  static let unknown = LabelSet([("scope", "_unknown"), ("name", "_unknown"), ("window", "")])
}
