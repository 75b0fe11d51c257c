import BudgetModel

/// Costs since the start, and what became of them, as far as the ledger's own counters do not say it.
struct SpendTotals {
  /// Costs that were recorded, each record once.
  var recorded = PicoUSD.zero
  /// Of these, costs of records that no budget was charged with.
  var unbudgeted = PicoUSD.zero
  /// Of all of them, costs that came without an open reservation.
  var unreserved = PicoUSD.zero
  /// Records that were answered at once as duplicates, as clashes, or for the time in their key.
  var duplicatesAtOnce = 0
  var mismatchesAtOnce = 0
  var outOfRangeAtOnce = 0

  /// A cost was recorded.
  mutating func add(_ amount: PicoUSD, isBudgeted: Bool, isReserved: Bool = false) {
    recorded += amount
    if !isReserved { unreserved += amount }
    if !isBudgeted { unbudgeted += amount }
  }
}
