/// A window of a budget as the database names it: the budget's row and the window's start.
struct BalanceKey: Hashable {
  var budget: Int64
  var start: Int64
}
