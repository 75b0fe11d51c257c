/// Why a ledger could not be opened or copied.
public enum LedgerError: Error, Equatable {
  /// The data directory cannot be used: the call that failed and its errno's text.
  case directory(path: String, reason: String)
  /// Another process uses the directory; 0 where it did not say which.
  case inUse(path: String, processID: Int32)
  /// The database is not SQLite's.
  case notADatabase(path: String)
  /// The database is another program's.
  case foreign(path: String, applicationID: UInt32)
  /// The database was written by a later version of budgetd.
  case newer(path: String, version: Int32, supported: Int32)
  /// The database is damaged: what was found.
  case damaged(path: String, finding: String)
  /// The disk has no room for what was tried.
  case diskFull(path: String, what: String)
  /// SQLite failed: what was tried, its extended code and message.
  case storage(what: String, code: Int32, message: String)
  /// A backup cannot have this name.
  case backupName(String, reason: String)
  /// No backup can be made as things stand: why.
  case backup(String)
  /// A backup is being made: one at a time.
  case backupUnderWay
  /// The ledger is closed, or has failed.
  case closed
}

extension LedgerError: CustomStringConvertible {
  /// One sentence that says what is wrong and what to do.
  public var description: String {
    switch self {
    case .directory(let path, let reason):
      "data directory \(path) cannot be used: \(reason)"
    case .inUse(let path, let processID):
      "data directory \(path) is in use by "
        + (processID == 0 ? "another process" : "process \(processID)")
        + "; stop it, or give this one a directory of its own"
    case .notADatabase(let path):
      "\(path) is not a SQLite database; nothing was touched. \(Self.advice)"
    case .foreign(let path, let applicationID):
      "\(path) is a SQLite database of another program (application id \(applicationID)); nothing "
        + "was touched. Give budgetd a data directory of its own"
    case .newer(let path, let version, let supported):
      "\(path) has schema version \(version), this budgetd knows up to \(supported); nothing was "
        + "touched. Run the later budgetd, or restore a backup made by this one"
    case .damaged(let path, let finding):
      "\(path) is damaged (\(finding)); nothing was touched. \(Self.advice)"
    case .diskFull(let path, let what):
      "the ledger could not \(what): the disk of \(path) is full. Make room there, and try again"
    case .storage(let what, let code, let message):
      "the ledger could not \(what): \(message) (SQLite code \(code))"
    case .backupName(let name, let reason):
      "no copy of the ledger can be called '\(name)': \(reason)"
    case .backup(let reason):
      "no copy of the ledger was made: \(reason)"
    case .backupUnderWay:
      "a copy of the ledger is being made; try again when it is done"
    case .closed:
      "the ledger is closed or has failed"
    }
  }

  private static let advice =
    "Restore a backup in its place, or move the data directory away to start with an empty ledger"
}
