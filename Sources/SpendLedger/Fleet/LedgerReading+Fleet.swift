import BudgetModel

extension LedgerReading {
  /// Operators' changes, each row checked.
  static func changes(_ store: LedgerStore) throws(LedgerError) -> [BudgetChange] {
    do throws(SQLiteError) {
      return try store.changes.changes()
    } catch {
      throw error.ledgerError(path: store.path)
    }
  }

  /// The fleet's windows as they are remembered that end at `time` or later, each row checked.
  static func fleet(
    _ store: LedgerStore, budgets: [Int64: BudgetKey], endingFrom time: Int64
  ) throws(LedgerError) -> [FleetWindow] {
    do throws(SQLiteError) {
      var windows: [FleetWindow] = []
      for row in try store.fleet.rows(endingFrom: time) {
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
