import BudgetFleet
import BudgetModel
import BudgetWire
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
      let now = time.now()
      let news = changes.filter { change in
        table[change.register].map { change.holds(over: $0) }
          ?? !table.hasNoRoom(for: change, at: now)
      }
      if news.isEmpty { return nil }
      // The audit of each node has what was done on the others.
      let lines = news.prefix(Self.heardLines).map { $0.line(before: table[$0.register]) }
      let notes = ChangeNotes(news, lines)
      do throws(LedgerError) {
        try ledger.keep(notes)
      } catch {
        return error
      }
      for change in news {
        do throws(ServiceRefusal) { try makeRoom(for: change.register, at: now) } catch {
          audit.tell("a change that was heard is not in force: \(error.status.message)")
        }
        enforce([change], at: now)
      }
      for entry in notes.audit { audit.tell("heard: \(entry)") }
      return nil
    }
    if let failure { throw ChangesNotKept("\(failure)") }
  }
}

extension BudgetChange {
  /// The line of the audit for a change of another node, where `before` held.
  fileprivate func line(before: BudgetChange?) -> AuditEntry {
    let action: AuditLog.Action =
      switch setting {
      case .limit, .mode: .setBudget
      case .cleared: .clearBudget
      case .reset: .resetBudget
      }
    var entry = AuditEntry(at: madeAt, action: action.rawValue, by: author, node: version.node)
    entry.target = register.target
    entry.before = before?.setting.words ?? ""
    entry.after = setting.words
    if let until { entry.after += " until \(until.iso8601)" }
    entry.reason = reason
    return entry
  }
}
