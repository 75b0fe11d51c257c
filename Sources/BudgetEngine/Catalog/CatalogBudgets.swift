/// Some of a catalog's budgets, in order: each is put together when it is asked for, since a million
/// of them are too many to be kept.
public struct CatalogBudgets: RandomAccessCollection, Sendable {
  private let catalog: BudgetCatalog
  private let range: Range<Int>

  init(catalog: BudgetCatalog, range: Range<Int>) {
    self.catalog = catalog
    self.range = range
  }

  /// The first one's position in the catalog.
  public var startIndex: Int { range.lowerBound }
  /// The position behind the last one.
  public var endIndex: Int { range.upperBound }

  /// The budget at a position of the range.
  public subscript(index: Int) -> CatalogBudget {
    precondition(range.contains(index), "a budget outside the range")
    let slot = catalog.slots[index]
    return CatalogBudget(slot: slot, definition: catalog.definition(of: slot))
  }

  /// The budgets at some positions of the range.
  public subscript(bounds: Range<Int>) -> CatalogBudgets {
    precondition(
      bounds.lowerBound >= range.lowerBound && bounds.upperBound <= range.upperBound,
      "budgets outside the range")
    return CatalogBudgets(catalog: catalog, range: bounds)
  }
}
