import BudgetModel

extension LedgerReading {
  /// Every window that is open at `now`, over all origins, by budget and start.
  static func openWindows(
    _ store: LedgerStore, budgets: [Int64: BudgetKey], at now: Timestamp
  ) throws(LedgerError) -> [SpentWindow] {
    var windows: [SpentWindow] = []
    do throws(SQLiteError) {
      for (id, key) in budgets.sorted(by: { $0.key < $1.key }) {
        let starts = WindowSearch.starts(of: key, endingFrom: now.unixMilliseconds)
        var last: Int64?
        for row in try store.fleet.balances(ofBudget: id, openedIn: starts) {
          let end = Timestamp(unixMilliseconds: row.end)
          if row.key.start == last {
            windows[windows.count - 1].spend += row.amount
            // A window that was closed early has one row with an earlier end.
            let known = windows[windows.count - 1].window.end
            windows[windows.count - 1].window.end = min(known, end)
          } else {
            let start = Timestamp(unixMilliseconds: row.key.start)
            windows.append(
              SpentWindow(
                window: BudgetWindow(key: key, start: start, end: end), spend: row.amount))
          }
          last = row.key.start
        }
      }
    } catch {
      throw error.ledgerError(path: store.path)
    }
    return windows.filter { $0.window.end >= now }
  }

  /// The fleet's windows as they are remembered, each row checked.
  static func fleet(
    _ store: LedgerStore, budgets: [Int64: BudgetKey]
  ) throws(LedgerError) -> [FleetWindow] {
    do throws(SQLiteError) {
      var windows: [FleetWindow] = []
      for row in try store.fleet.rows() {
        guard let key = budgets[row.budget], let window = row.window(of: key) else {
          throw .damagedFleetWindow
        }
        windows.append(window)
      }
      return windows
    } catch {
      throw error.ledgerError(path: store.path)
    }
  }
}
