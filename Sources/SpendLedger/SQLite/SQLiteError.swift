import CSQLite

/// An error of SQLite.
struct SQLiteError: Error, Equatable {
  /// The extended result code.
  var code: Int32
  var message: String
  /// The operation that failed, for people.
  var operation: String

  private var primary: Int32 { code & 0xFF }
  /// The disk, or the file's size limit, leaves no room.
  var isFull: Bool { primary == SQLITE_FULL }
  var isDamage: Bool { primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB }

  /// The ledger's files are not what their names lead to.
  var isFilesGone: Bool { code == Self.movedCode }
  var refusal: LedgerRefusal {
    if isFilesGone { return .filesGone }
    return isFull ? .diskFull : .storage(code: code)
  }
  var text: String {
    if isFilesGone { return message }
    return "could not \(operation): \(message) (SQLite code \(code))"
  }

  /// SQLite's own code for a database that was moved, which it does not look for in WAL mode.
  private static let movedCode: Int32 = SQLITE_READONLY | 4 << 8

  static func filesGone(_ text: String) -> SQLiteError {
    SQLiteError(code: movedCode, message: text, operation: "write")
  }

  static func unreadable(_ finding: String) -> SQLiteError {
    SQLiteError(code: SQLITE_CORRUPT, message: finding, operation: "read what was recorded")
  }

  static let damagedBalance = SQLiteError(
    code: SQLITE_CORRUPT, message: "the balance of a window has changed", operation: "read it")

  static let damagedFleetWindow = SQLiteError(
    code: SQLITE_CORRUPT, message: "a window of the fleet has changed", operation: "read it")

  static let damagedLimit = SQLiteError(
    code: SQLITE_CORRUPT, message: "a noted limit has changed", operation: "read it")

  static let damagedHold = SQLiteError(
    code: SQLITE_CORRUPT, message: "a sum of reservations has changed", operation: "read it")

  static let damagedChange = SQLiteError(
    code: SQLITE_CORRUPT, message: "an operator's change has changed", operation: "read it")

  static let totalTooLarge = SQLiteError(
    code: SQLITE_TOOBIG, message: "one window would hold more than any may",
    operation: "move spend between windows")

  static let closed = SQLiteError(
    code: SQLITE_MISUSE, message: "the ledger is closed", operation: "write")

  func ledgerError(path: String) -> LedgerError {
    if isDamage { return .damaged(path: path, finding: message) }
    if isFull { return .diskFull(path: path, what: operation) }
    return .storage(what: operation, code: code, message: message)
  }
}
