import BudgetFleet
import BudgetModel
import SpendLedger

/// Changes of other nodes, and those that they hear of from here.
extension ChangeDesk: SharedChanges {
  /// So many changes that are heard at once have lines of their own in the audit.
  private static let heardLines = 100

  var changesEdition: UInt64 { withState { $0.edition } }

  var heldChanges: [BudgetChange] { Array(table.all) }

  var resets: [BudgetKey: Timestamp] { withState { $0.resets } }

  /// Takes changes of other nodes, in turn with those that are made here.
  func hear(_ changes: [BudgetChange]) throws(ChangesNotKept) {
    guard !changes.isEmpty else { return }
    let failure = inTurn { () -> LedgerError? in
      let table = self.table
      let news = changes.filter { change in
        table[change.register].map { change.holds(over: $0) } ?? true
      }
      if news.isEmpty { return nil }
      let notes = ChangeNotes(news, lines(of: news, before: table))
      do throws(LedgerError) {
        try ledger.keep(notes)
      } catch {
        return error
      }
      enforce(news, at: time.now())
      for entry in notes.audit { audit.tell("heard: \(entry)") }
      return nil
    }
    if let failure { throw ChangesNotKept("\(failure)") }
  }

  /// The audit of each node has what was done on the others.
  private func lines(of changes: [BudgetChange], before table: ChangeTable) -> [AuditEntry] {
    changes.prefix(Self.heardLines).map { change in
      var entry = AuditEntry(
        at: change.madeAt, action: Self.action(of: change).rawValue, by: change.author,
        node: change.version.node)
      entry.target = change.register.target
      entry.before = table[change.register]?.setting.words ?? ""
      entry.after = change.setting.words
      if let until = change.until { entry.after += " until \(until.iso8601)" }
      entry.reason = change.reason
      return entry
    }
  }

  private static func action(of change: BudgetChange) -> AuditLog.Action {
    switch change.setting {
    case .limit, .mode: .setBudget
    case .cleared: .clearBudget
    case .reset: .resetBudget
    }
  }
}
