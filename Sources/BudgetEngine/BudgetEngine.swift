public import BudgetModel
import Locks
import Synchronization

/// Who may spend what, now: every budget in force, its window and its spend.
///
/// Any thread may call it. Filtering and recording take a `BudgetCatalog`, so that one request sees
/// one configuration from beginning to end; `CatalogReader` keeps the current one at hand.
public final class BudgetEngine: Sendable {
  let shards: BudgetShards
  let installed: Locked<InstalledCatalog>
  let dynamic: DynamicBudgets
  let reservations: Reservations
  /// The costs that are expected of requests.
  public let estimates: CostEstimates
  private let generation: Atomic<UInt64>
  let edition: Atomic<UInt64>

  /// Starts with `configuration`: provider windows open at `now`, with nothing spent anywhere.
  public convenience init(
    configuration: BudgetConfiguration, dynamicBudgets: Int = defaultDynamicBudgets,
    reservations settings: ReservationSettings = ReservationSettings(), at now: Timestamp
  ) {
    self.init(restoring: [], dynamicBudgets: dynamicBudgets, reservations: settings)
    _ = reload(configuration, at: now)
  }

  /// Starts without a configuration and with the windows of an earlier life, each key at most once:
  /// `reload` then carries them on, or closes them, as it would any others. A window whose text
  /// means nothing is left out. At most `dynamicBudgets` are live at a time.
  public init(
    restoring windows: [BudgetWindowState], dynamicBudgets: Int = defaultDynamicBudgets,
    reservations settings: ReservationSettings = ReservationSettings()
  ) {
    shards = BudgetShards(notesHolds: settings.notesHolds)
    reservations = Reservations(settings)
    estimates = CostEstimates(settings.defaultEstimate)
    dynamic = DynamicBudgets(bound: dynamicBudgets)
    let nothing = BudgetConfiguration(budgets: [], deployments: [], directory: .empty)
    let empty = BudgetCatalog(
      generation: 0, configuration: nothing, slots: [], keys: SlotKeys(),
      tables: BudgetCatalog.Tables(gates: [], dynamic: dynamic, edition: 0))
    var installed = InstalledCatalog(catalog: empty)
    // An owner may have had windows of several lengths: the newest was in force.
    installed.restored = windows.sorted { $0.start < $1.start }
    self.installed = Locked(installed)
    generation = Atomic(0)
    edition = Atomic(0)
  }

  /// So many dynamic budgets may be live unless set.
  public static let defaultDynamicBudgets = 1_000_000

  /// Appends the window in which a charge to each of `slots` at `now` is counted: the open one, or
  /// the one that the charge opens. Precondition: nothing opens or closes a window between this and
  /// the charge.
  public func label(
    _ slots: [Int32], at now: Timestamp, into windows: inout [BudgetWindowState]
  ) {
    installed.withLock { installed in
      for slot in slots {
        var slot = slot
        var state = shards.state(of: slot)
        while state.successor != Slot.none {
          slot = state.successor
          state = shards.state(of: slot)
        }
        state.openWindow(at: now)
        windows.append(
          BudgetWindowState(
            key: installed.key(of: slot, state), start: state.start, end: state.end,
            spend: state.spend))
      }
    }
  }

  /// The slot that goes by `key` now; nil where none does.
  func slot(of key: BudgetKey) -> Int32? { installed.withLock { $0.slot(of: key) } }

  /// How many slots were handed out.
  var slotCount: Int32 { installed.withLock { $0.registry.slotCount } }

  /// The configuration in force.
  public var catalog: BudgetCatalog { installed.withLock { $0.catalog } }

  /// The generation of the configuration in force. Cheap: one atomic load.
  public var catalogGeneration: UInt64 { generation.load(ordering: .acquiring) }

  /// The edition of the catalog in force. Cheap: one atomic load.
  public var catalogEdition: UInt64 { edition.load(ordering: .acquiring) }

  /// Puts `configuration` in force as a whole. Spend, windows and slots of budgets that stay are
  /// kept; a provider without an open window gets one at `now`.
  ///
  /// Concurrency: one reload at a time; requests go on meanwhile, each under the catalog it took.
  public func reload(_ configuration: BudgetConfiguration, at now: Timestamp) -> ReloadReport {
    var configuration = configuration
    configuration.budgets = configuration.withOverflows()
    return installed.withLock { installed in
      installed.giveBackSlots(shards, at: now)
      let restored = installed.restore(under: configuration, shards, at: now)
      let entered = installed.enterDynamic(configuration.budgets)
      let known = installed.registry.slotCount
      let before = installed.catalog
      var placing = Placing(now: now, knownSlots: known)
      let more = installed.registry.reserve(for: configuration.budgets)
      shards.reserve(slots: Int(known) + more)
      var slots: [Int32] = []
      slots.reserveCapacity(configuration.budgets.count)
      installed.registry.assign(
        configuration.budgets, ruleOf: { shards.state(of: $0).rule },
        { slots.append(place($0, $1, before, &placing)) })
      for pattern in configuration.patterns { _ = installed.registry.window(of: pattern.key) }
      var after = BudgetCatalog(
        generation: before.generation + 1, configuration: configuration, slots: slots,
        keys: installed.registry.keys,
        tables: BudgetCatalog.Tables(
          gates: shards.gates, dynamic: dynamic, edition: before.edition + 1))
      installed.makeRestored(restored, under: after, shards)
      installed.makeDynamic(under: after, shards, at: now)
      for (definition, slot) in zip(configuration.budgets, slots) {
        enforce(definition, slot, under: after, &placing)
      }
      after = installed.changed(after, shards, at: now)
      installed.earlier.add(before)
      installed.catalog = after
      edition.store(after.edition, ordering: .releasing)
      generation.store(after.generation, ordering: .releasing)
      installed.endDynamic(entered, shards)
      // Only now: until the new catalog was in force, requests charged the old windows.
      for retired in placing.retired { placing.report.closed.append(retire(retired, at: now)) }
      placing.report.compare(before, with: after)
      return placing.report
    }
  }

  /// Notes what becomes of a budget, and says which slot is its own.
  private func place(
    _ definition: BudgetDefinition, _ outcome: SlotRegistry.Outcome, _ before: BudgetCatalog,
    _ placing: inout Placing
  ) -> Int32 {
    switch outcome {
    case .known(let slot):
      // Known from an earlier configuration, but not in the one in force: it comes back.
      if !before.isInForce(slot) { placing.report.added.append(definition.key) }
      return slot
    case .added(let slot):
      begin(slot, definition.rule, &placing)
      placing.report.added.append(definition.key)
      return slot
    case .renamed(let slot, let from):
      placing.report.renamed.append(
        .init(from: from, to: definition.key, state: shards.state(of: slot), at: placing.now))
      return slot
    case .replaced(let slot, let isNew, let old, let oldSlot):
      if isNew { begin(slot, definition.rule, &placing) }
      placing.retired.append(
        Retired(slot: oldSlot, key: old, successor: slot, successorKey: definition.key))
      return slot
    }
  }

  /// Puts a budget's rule and policy in force. A provider's window of LiteLLM's opens with it.
  private func enforce(
    _ definition: BudgetDefinition, _ slot: Int32, under catalog: BudgetCatalog,
    _ placing: inout Placing
  ) {
    let now = placing.now
    let opens = definition.key.scope == .provider && definition.origin == .liteLLM
    let hasNext = catalog.next(after: slot) != Slot.none
    let opened = shards.update(slot) { state -> SlotState? in
      state.comeInForce(
        definition.rule, definition.policy, hasNext: hasNext, generation: catalog.generation)
      guard opens, !state.isOpen(at: now) else { return nil }
      state.openWindow(at: now)
      return state
    }
    guard let opened else { return }
    placing.report.opened.append(
      BudgetWindowState(
        key: definition.key, start: opened.start, end: opened.end, spend: opened.spend))
  }

  /// Makes the state of a slot that was handed out just now.
  private func begin(_ slot: Int32, _ rule: WindowRule, _ placing: inout Placing) {
    if slot < placing.knownSlots {
      shards.reset(slot: slot, rule: rule)
      placing.report.reusedSlots.append(slot)
    } else {
      shards.append(slot: slot, rule: rule)
    }
  }

  private func retire(_ retired: Retired, at now: Timestamp) -> ReloadReport.Change {
    let state = shards.retire(retired.slot, successor: retired.successor)
    return .init(from: retired.key, to: retired.successorKey, state: state, at: now)
  }
}

/// A reload under way.
private struct Placing {
  let now: Timestamp
  /// How many slots there were before.
  let knownSlots: Int32
  var report = ReloadReport()
  var retired: [Retired] = []
}

/// A slot whose budget goes on in another slot, with a window of another length.
private struct Retired {
  var slot: Int32
  var key: BudgetKey
  var successor: Int32
  var successorKey: BudgetKey
}
