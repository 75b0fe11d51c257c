public import BudgetModel
import Locks
import Synchronization

/// Puts changes of policy in force while an engine works.
///
/// Costs the same whatever the configuration's size: the slots of one name are touched, and the
/// catalog that says so shares everything else. Requests under way go on as they began.
public struct PolicyChanging: Sendable {
  private let engine: BudgetEngine

  /// Changes the policies of `engine`.
  public init(of engine: BudgetEngine) { self.engine = engine }

  /// Puts a change in force over the configuration, and over the next ones.
  public func enforce(_ change: BudgetChange, at now: Timestamp) {
    put(change, in: change.register, at: now)
  }

  /// The configuration's policy holds again.
  public func end(_ register: BudgetChange.Register, at now: Timestamp) {
    put(nil, in: register, at: now)
  }

  private func put(
    _ change: BudgetChange?, in register: BudgetChange.Register, at now: Timestamp
  ) {
    precondition(register.matter != .reset, "a reset is a window's affair")
    engine.installed.withLock { installed in
      let before = installed.catalog
      let after = installed.change(register, to: change, engine.shards, at: now)
      installed.earlier.add(before)
      installed.catalog = after
      engine.edition.store(after.edition, ordering: .releasing)
    }
  }

  /// `limits` with those in force in place of those that were changed.
  public func inForce<Limits: Sequence<(key: BudgetKey, limit: PicoUSD?)>>(
    _ limits: Limits
  ) -> [(key: BudgetKey, limit: PicoUSD?)] {
    let catalog = engine.catalog
    var changed: [BudgetKey: PicoUSD?] = [:]
    let changes = Array(catalog.policies.changed.values) + catalog.patterns.changed.values
    for change in changes {
      guard let limit = change.limitChange, case .limit(let amount) = limit.setting else {
        continue
      }
      changed[limit.register.target] = .some(amount)
    }
    return limits.map { ($0.key, changed[$0.key] ?? $0.limit) }
  }
}
