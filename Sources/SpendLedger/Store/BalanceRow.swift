import BudgetModel

/// The spend that one life of the node has recorded in one window.
struct BalanceRow {
  var key: BalanceKey
  var end: Int64
  var origin: Int64
  var amount: PicoUSD
}

extension PicoUSD {
  /// The most that one window may hold in the ledger: 10¹⁸ $, far inside what a column can hold.
  static let maximumTotal = PicoUSD(dollars: 1_000_000_000_000_000_000)

  /// Whole dollars, for its column.
  var wholeDollars: Int64 { Int64(pico / Self.picoPerDollar) }
  /// The rest, for its column: 0 to 10¹² - 1.
  var restPico: Int64 { Int64(pico % Self.picoPerDollar) }

  init(wholeDollars: Int64, restPico: Int64) {
    self.init(pico: Int128(wholeDollars) * Self.picoPerDollar + Int128(restPico))
  }
}

/// A window of a budget as the database names it: the budget's row and the window's start.
struct BalanceKey: Hashable {
  var budget: Int64
  var start: Int64
}
