import BudgetModel
import BudgetWire
import SpendLedger

extension BudgetService {
  /// Copies the ledger to a file of the server's disk; the reply comes when that is done.
  mutating func backupLedger(
    _ head: RequestHead, _ call: Call
  ) throws(ServiceRefusal) {
    let request = try ServiceRefusal.of { () throws(WireFault) in
      try reader.decoder.backupLedger(head)
    }
    let name = request.path
    let (audit, author) = (context.audit, peers[call.connection]?.author ?? .nobody)
    guard name.isEmpty || name.count <= SpendLedger.longestBackupName && name.isPlainText else {
      let refusal = ServiceRefusal(
        .invalidArgument,
        "path of \(name.count) bytes: give a name of 1 to \(SpendLedger.longestBackupName) bytes of "
          + "UTF-8 without control characters, or none")
      audit.noteRefused(AuditLog.Action.backup.rawValue, by: author, refusal.status.message)
      throw refusal
    }
    context.recorder.backUp(named: name.isEmpty ? "" : name.text, token: call.token) { refusal in
      if let refusal {
        audit.noteRefused(AuditLog.Action.backup.rawValue, by: author, refusal.message)
      } else {
        audit.note(.backup, by: author)
      }
    }
  }
}
