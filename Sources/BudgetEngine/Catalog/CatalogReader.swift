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
    if catalog.generation != engine.catalogGeneration { catalog = engine.catalog }
    return catalog
  }
}
