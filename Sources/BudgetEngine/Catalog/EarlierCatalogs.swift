import BudgetModel

/// The configurations that were in force before and are still in somebody's hands: of a lane whose
/// request is under way or which has had none since, of a page, of a pass.
///
/// A few at most: each lane keeps one.
struct EarlierCatalogs: Sendable {
  private struct Reference: Sendable {
    weak var catalog: BudgetCatalog?
  }

  private var references: [Reference] = []

  /// `catalog` is no longer in force.
  mutating func add(_ catalog: BudgetCatalog) {
    if references.count >= Self.lookedOver { references.removeAll { $0.catalog == nil } }
    references.append(Reference(catalog: catalog))
  }

  /// With so many it is time to let go of those that nobody has: each change of policy adds one.
  private static let lookedOver = 64

  /// Those that somebody still has.
  mutating func alive() -> [BudgetCatalog] {
    references.removeAll { $0.catalog == nil }
    return references.compactMap(\.catalog)
  }
}

extension InstalledCatalog {
  /// Takes back the slots of dropped budgets that nothing can refer to any more: no configuration
  /// that somebody has, no queued record, no spend in an open window, which would have to be there if
  /// the budget came back, and no slot whose budget goes on in it.
  ///
  /// Complexity: linear in the slots. Not before the first configuration: it decides what becomes of
  /// the windows of an earlier life.
  mutating func giveBackSlots(_ shards: BudgetShards, at now: Timestamp) {
    guard catalog.generation > 0 else { return }
    let others = earlier.alive()
    var idle: [Int32] = []
    var successors: Set<Int32> = []
    for slot in 0..<registry.slotCount
    where !catalog.isInForce(slot) && !registry.keys.isFree(slot) {
      let state = shards.state(of: slot)
      if state.successor != Slot.none { successors.insert(state.successor) }
      if state.isIdle(at: now), !others.contains(where: { $0.isInForce(slot) }) {
        idle.append(slot)
      }
    }
    registry.giveBack(idle.filter { !successors.contains($0) })
  }
}

/// Keeps the current catalog at hand for one lane, so that a request costs one atomic load and no
/// lock to see a reload.
public struct CatalogReader {
  private let engine: BudgetEngine
  private var catalog: BudgetCatalog

  /// Reads `engine`'s catalogs.
  public init(engine: BudgetEngine) {
    self.engine = engine
    catalog = engine.catalog
  }

  /// The configuration in force.
  public mutating func current() -> BudgetCatalog {
    if catalog.edition != engine.catalogEdition { catalog = engine.catalog }
    return catalog
  }
}
