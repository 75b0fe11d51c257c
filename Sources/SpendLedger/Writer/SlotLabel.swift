import BudgetModel

/// The window that a slot was labelled with last, and where its balance is.
struct SlotLabel {
  var window: BudgetWindow
  var place: Int
  var budget: Int64

  var balance: BalanceKey {
    BalanceKey(budget: budget, start: window.start.unixMilliseconds)
  }
}
