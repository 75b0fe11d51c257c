public import BudgetModel
import Synchronization

/// Who may spend what, now: every budget in force, its window and its spend.
///
/// Any thread may call it. Filtering and recording take a `BudgetCatalog`, so that one request sees
/// one configuration from beginning to end; `CatalogReader` keeps the current one at hand.
public final class BudgetEngine: Sendable {
  private struct Installed {
    var registry = SlotRegistry()
    var catalog: BudgetCatalog
  }

  let shards: BudgetShards
  private let installed: Mutex<Installed>
  private let generation: Atomic<UInt64>

  /// Starts with `configuration`: provider windows open at `now`, with nothing spent anywhere.
  public init(
    configuration: BudgetConfiguration, at now: Timestamp, shardCount: Int = 64
  ) {
    shards = BudgetShards(count: shardCount)
    let nothing = BudgetConfiguration(budgets: [], deployments: [], directory: .empty)
    let empty = BudgetCatalog(generation: 0, configuration: nothing, slots: [], slotCount: 0)
    installed = Mutex(Installed(catalog: empty))
    generation = Atomic(0)
    _ = reload(configuration, at: now)
  }

  /// The configuration in force.
  public var catalog: BudgetCatalog { installed.withLock { $0.catalog } }

  /// The generation of the configuration in force. Cheap: one atomic load.
  public var catalogGeneration: UInt64 { generation.load(ordering: .acquiring) }

  /// Puts `configuration` in force as a whole. Spend, windows and slots of budgets that stay are
  /// kept; a provider without an open window gets one at `now`.
  ///
  /// Concurrency: one reload at a time; requests go on meanwhile, each under the catalog it took.
  public func reload(_ configuration: BudgetConfiguration, at now: Timestamp) -> ReloadReport {
    installed.withLock { installed in
      var report = ReloadReport()
      var slots: [Int32] = []
      slots.reserveCapacity(configuration.budgets.count)
      for definition in configuration.budgets {
        slots.append(place(definition, in: &installed, report: &report, at: now))
      }
      let before = installed.catalog
      let after = BudgetCatalog(
        generation: before.generation + 1, configuration: configuration, slots: slots,
        slotCount: Int(installed.registry.slotCount))
      let closed = Set(report.closed.map(\.from))
      for budget in before.budgets {
        guard let still = after.budget(ofSlot: budget.slot) else {
          let key = budget.definition.key
          if !closed.contains(key) { report.removed.append(key) }
          continue
        }
        if still.definition.limit != budget.definition.limit {
          report.relimited.append(still.definition.key)
        }
      }
      installed.catalog = after
      generation.store(after.generation, ordering: .releasing)
      return report
    }
  }

  private func place(
    _ definition: BudgetDefinition, in installed: inout Installed, report: inout ReloadReport,
    at now: Timestamp
  ) -> Int32 {
    let slot: Int32
    let outcome = installed.registry.resolve(definition) { shards.state(of: $0).windowLength }
    switch outcome {
    case .known(let known):
      slot = known
      // Known from an earlier configuration, but not in the one in force: it comes back.
      if installed.catalog.budgetIndexes[Int(known)] < 0 { report.added.append(definition.key) }
    case .added(let added):
      slot = added
      shards.append(slot: slot, windowLength: definition.windowLength)
      report.added.append(definition.key)
    case .renamed(let moved, let from):
      slot = moved
      let state = shards.state(of: moved)
      report.renamed.append(
        .init(
          from: from, to: definition.key,
          spend: state.isOpen(at: now) ? state.spend(at: now) : nil,
          resetsAt: state.resetsAt(at: now)))
    case .replaced(let replacing, let isNew, let old, let oldSlot):
      slot = replacing
      if isNew { shards.append(slot: slot, windowLength: definition.windowLength) }
      let state = shards.update(oldSlot) { state in
        defer { state.closeWindow() }
        return state
      }
      report.closed.append(
        .init(
          from: old, to: definition.key,
          spend: state.isOpen(at: now) ? state.spend(at: now) : nil,
          resetsAt: state.resetsAt(at: now)))
    }
    if definition.key.scope == .provider { shards.update(slot) { $0.openWindow(at: now) } }
    return slot
  }
}
