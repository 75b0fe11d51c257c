import BudgetModel
import Reconciliation
import SpendLedger

extension FleetRecord {
  /// The record as the ledger keeps it.
  var fleetWindow: FleetWindow {
    var window = FleetWindow(window: BudgetWindow(key: key, start: start, end: end), at: at)
    window.total = total
    window.highest = highest
    window.confirmed = confirmed
    window.nodes = nodes
    return window
  }

  /// The record that the ledger kept.
  init(_ kept: FleetWindow) {
    self.init(key: kept.window.key, start: kept.window.start, end: kept.window.end, at: kept.at)
    total = kept.total
    highest = kept.highest
    confirmed = kept.confirmed
    nodes = kept.nodes
  }
}

extension LedgerNews {
  /// The ledger's changes, in the reconciler's words.
  init(_ changes: LedgerChanges) {
    self.init(
      isComplete: changes.isComplete,
      totals: changes.totals.map { total in
        OriginTotal(
          key: total.window.key, start: total.window.start, end: total.window.end,
          origin: total.origin, cumulative: total.amount)
      },
      records: changes.fleet.map { FleetRecord($0) })
  }
}
