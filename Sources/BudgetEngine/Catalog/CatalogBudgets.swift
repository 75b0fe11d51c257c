/// Some of a catalog's budgets, in order: each is put together when it is asked for, since a million
/// of them are too many to be kept.
public struct CatalogBudgets: RandomAccessCollection, Sendable {
  private let catalog: BudgetCatalog
  private let range: Range<Int>

  init(catalog: BudgetCatalog, range: Range<Int>) {
    self.catalog = catalog
    self.range = range
  }

  public var startIndex: Int { range.lowerBound }
  public var endIndex: Int { range.upperBound }

  public subscript(index: Int) -> CatalogBudget {
    precondition(range.contains(index), "a budget outside the range")
    let slot = catalog.slots[index]
    return CatalogBudget(slot: slot, definition: catalog.definition(of: slot))
  }

  public subscript(bounds: Range<Int>) -> CatalogBudgets {
    precondition(
      bounds.lowerBound >= range.lowerBound && bounds.upperBound <= range.upperBound,
      "budgets outside the range")
    return CatalogBudgets(catalog: catalog, range: bounds)
  }
}
