import BudgetModel

/// A budget as its row has it.
struct StoredBudget {
  var scope: Int64
  var name: String
  var windowText: String

  init(_ key: BudgetKey) {
    scope = Int64(key.scope.rawValue)
    name = key.name
    windowText = key.windowText
  }

  init(scope: Int64, name: String, windowText: String) {
    self.scope = scope
    self.name = name
    self.windowText = windowText
  }

  /// Nil if the scope is unknown.
  var key: BudgetKey? {
    guard let raw = UInt8(exactly: scope), let scope = BudgetScope(rawValue: raw) else {
      return nil
    }
    return BudgetKey(scope: scope, name: name, windowText: windowText)
  }

  /// As logs name it, whatever stands in its row.
  var description: String {
    key?.description ?? "scope \(scope) \(name) per \(windowText)"
  }

  func seal(id: Int64) -> Int64 {
    RowSeal.budget(id, scope: scope, name: name, windowText: windowText)
  }
}
