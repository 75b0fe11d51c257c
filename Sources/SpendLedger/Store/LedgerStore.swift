import BudgetModel
import Glibc

/// The database: one connection, its statements, its transactions. Used by one thread only.
final class LedgerStore {
  let path: String
  let connection: SQLiteConnection
  private let probe: (any StorageProbe)?
  let statements: LedgerStatements
  let fleet: FleetStatements
  let history: HistoryStatements
  let limits: LimitStatements
  let held: HeldStatements
  let changes: ChangeStatements

  /// Opens an existing database and checks it. A file that is refused is not touched: nothing is
  /// written here but the steps of a migration.
  init(path: String, probe: (any StorageProbe)?) throws(LedgerError) {
    self.path = path
    self.probe = probe
    try FileCheck.check(path)
    do {
      if let code = probe?.fault(at: .open) {
        throw SQLiteError(code: code, message: "injected", operation: "open the database")
      }
      connection = try SQLiteConnection(path: path)
      try Self.prepare(connection, path: path)
      statements = try LedgerStatements(connection)
      fleet = try FleetStatements(connection)
      history = try HistoryStatements(connection)
      limits = try LimitStatements(connection)
      held = try HeldStatements(connection)
      changes = try ChangeStatements(connection)
    } catch {
      if let error = error as? LedgerError { throw error }
      if let error = error as? SQLiteError { throw error.ledgerError(path: path) }
      throw .storage(what: "open the database", code: 0, message: "\(error)")
    }
  }

  private static func prepare(_ connection: borrowing SQLiteConnection, path: String) throws {
    connection.defend()
    // Before the first read: no shared memory is made, and a second process is refused.
    try connection.execute("PRAGMA locking_mode = EXCLUSIVE", "lock the database")
    try connection.execute(
      """
      PRAGMA trusted_schema = OFF;
      PRAGMA cell_size_check = ON;
      PRAGMA temp_store = MEMORY;
      """, "set up the connection")
    let version = Int32(
      truncatingIfNeeded: try integer("PRAGMA user_version", connection))
    guard version <= LedgerSchema.version else {
      throw LedgerError.newer(path: path, version: version, supported: LedgerSchema.version)
    }
    let finding = try text("PRAGMA quick_check(1)", connection)
    guard finding == "ok" else { throw LedgerError.damaged(path: path, finding: finding) }
    if version == 0, try integer("SELECT count(*) FROM sqlite_schema", connection) != 0 {
      throw LedgerError.damaged(path: path, finding: "tables without a schema version")
    }
    try connection.execute(
      """
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      PRAGMA wal_autocheckpoint = 0;
      PRAGMA secure_delete = OFF;
      """, "set up the connection")
    connection.watchLog()
    try migrate(connection, from: version, path: path)
    try connection.execute("PRAGMA foreign_keys = ON", "set up the connection")
  }

  /// Brings the layout up to date. Rows refer to others by number, which a table that takes another's
  /// place keeps: the references are checked at the end, not on the way.
  private static func migrate(
    _ connection: borrowing SQLiteConnection, from version: Int32, path: String
  ) throws {
    guard version < LedgerSchema.version else { return }
    try connection.execute("PRAGMA foreign_keys = OFF", "migrate")
    for step in LedgerSchema.migrations.dropFirst(Int(version)) {
      try connection.execute("BEGIN IMMEDIATE", "migrate")
      do {
        try connection.execute(step, "migrate")
        try connection.execute("COMMIT", "migrate")
      } catch {
        // The error is told; a failure of the rollback adds nothing to it.
        try? connection.execute("ROLLBACK", "roll back")
        throw error
      }
    }
    guard try integer("SELECT count(*) FROM pragma_foreign_key_check", connection) == 0 else {
      throw LedgerError.damaged(path: path, finding: "rows that refer to none")
    }
  }

  static func integer(
    _ sql: StaticString, _ connection: borrowing SQLiteConnection
  ) throws(SQLiteError) -> Int64 {
    let statement = try connection.prepare(sql)
    return try statement.step("read the database") ? statement.integer(0) : 0
  }

  static func text(
    _ sql: StaticString, _ connection: borrowing SQLiteConnection
  ) throws(SQLiteError) -> String {
    let statement = try connection.prepare(sql)
    return try statement.step("read the database") ? statement.text(0) : ""
  }

  /// Runs `body` in a transaction of its own.
  func transact(_ body: () throws(SQLiteError) -> Void) -> CommitResult {
    do {
      try connection.execute("BEGIN IMMEDIATE", "begin")
      try inject(.write)
      try body()
    } catch {
      rollBack()
      return .refused(error)
    }
    do {
      try inject(.commit)
      try connection.execute("COMMIT", "commit")
    } catch {
      rollBack()
      return error.isFull ? .refused(error) : .doubtful(error)
    }
    do { try inject(.committed) } catch { return .doubtful(error) }
    return .committed
  }

  /// Some errors have ended the transaction already.
  private func rollBack() {
    guard connection.isInTransaction else { return }
    // If this fails too, the next BEGIN does, and says why.
    try? connection.execute("ROLLBACK", "roll back")
  }

  /// Every balance of a budget, each checked.
  func balances(ofBudget id: Int64) throws(SQLiteError) -> [BalanceRow] {
    let rows = try connection.prepare(
      "SELECT start_ms, origin FROM window_spend WHERE budget = ? ORDER BY start_ms, origin")
    rows.bind(id, at: 1)
    var names: [(key: BalanceKey, origin: Int64)] = []
    while try rows.step("read the balances") {
      names.append((BalanceKey(budget: id, start: rows.integer(0)), rows.integer(1)))
    }
    var balances: [BalanceRow] = []
    for name in names {
      if let row = try statements.balance(name.key, origin: name.origin) { balances.append(row) }
    }
    return balances
  }

  /// Moves the balances of one budget to another, and takes its row; where both have a window, they
  /// are added.
  func join(_ id: Int64, into other: Int64) throws(SQLiteError) {
    for row in try balances(ofBudget: id) {
      let key = BalanceKey(budget: other, start: row.key.start)
      let there = try statements.balance(key, origin: row.origin)
      let sum = row.amount + (there?.amount ?? .zero)
      try statements.setBalance(
        BalanceRow(
          key: key, end: min(row.end, there?.end ?? row.end), origin: row.origin,
          amount: min(sum, PicoUSD.maximumTotal)))
      try statements.deleteBalance(row.key, origin: row.origin)
    }
    try held.deleteAll(ofBudget: id)
    try statements.deleteBudget(id: id)
  }

  /// How large a copy is, unless the database grows meanwhile.
  func copyBytes() throws(SQLiteError) -> Int64 {
    try Self.integer("PRAGMA page_count", connection)
      * Self.integer("PRAGMA page_size", connection)
  }

  /// Reads all that a start reads and checks it, as the connection sees it.
  func check() throws(SQLiteError) {
    let finding = try Self.text("PRAGMA quick_check(1)", connection)
    guard finding == "ok" else { throw .unreadable(finding) }
    do throws(LedgerError) {
      let reading = try LedgerReading.read(self, .init(keyBound: .max)) { _ in }
      _ = try LedgerReading.image(self, budgets: reading.budgets, at: .latest)
      _ = try LedgerReading.fleet(self, budgets: reading.budgets, endingFrom: .min)
      _ = try LedgerReading.held(self, budgets: reading.budgets, at: .latest)
      _ = try LedgerReading.changes(self)
    } catch {
      throw .unreadable("\(error)")
    }
  }

  /// Begins a copy to an empty file.
  func backup(to path: String) throws(SQLiteError) -> SQLiteBackup {
    try SQLiteBackup(of: connection, to: path)
  }

  /// Before each step of a copy: where tests make it fail.
  func beforeCopying() throws(SQLiteError) { try inject(.copying) }

  /// Looks through a whole copy, on a connection of its own; nil: it is sound.
  static func complaint(ofCopy path: String, stoppingOn flag: StopFlag) -> SQLiteError? {
    do throws(SQLiteError) {
      let copy = try SQLiteConnection(path: path)
      copy.defend()
      try copy.stopping(on: flag) { () throws(SQLiteError) in
        let finding = try text("PRAGMA quick_check(1)", copy)
        guard finding == "ok" else { throw .unreadable(finding) }
      }
      return nil
    } catch {
      return error
    }
  }

  func checkpoint(cuts: Bool) throws(SQLiteError) {
    try inject(.checkpoint)
    try connection.checkpoint(cuts: cuts)
  }

  private func inject(_ step: StorageStep) throws(SQLiteError) {
    guard let probe, let code = probe.fault(at: step) else { return }
    throw SQLiteError(code: code, message: "injected", operation: "\(step)")
  }

  /// Makes an empty database at `path`: under another name first, so that a crash half-way leaves
  /// nothing that looks like a ledger.
  static func create(at path: String) throws(LedgerError) {
    let draft = path + ".new"
    for suffix in ["", "-wal", "-journal"] { SystemCalls.remove(draft + suffix) }
    do {
      _ = try Descriptor(draft, O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
      try fill(draft)
      SystemCalls.remove(draft + "-wal")
      try SystemCalls.synchronize(draft)
      try SystemCalls.move(draft, to: path)
      try SystemCalls.synchronize(DataDirectory.parent(of: path))
    } catch {
      if let error = error as? SQLiteError { throw error.ledgerError(path: path) }
      if let error = error as? SystemFailure {
        throw .directory(path: path, reason: error.text)
      }
      throw .storage(what: "make the database", code: 0, message: "\(error)")
    }
  }

  private static func fill(_ path: String) throws {
    let connection = try SQLiteConnection(path: path)
    connection.defend()
    try connection.execute(
      """
      PRAGMA locking_mode = EXCLUSIVE;
      PRAGMA journal_mode = WAL;
      PRAGMA synchronous = FULL;
      PRAGMA wal_autocheckpoint = 0;
      BEGIN IMMEDIATE;
      PRAGMA application_id = 0x62677464;
      """, "make the database")
    for step in LedgerSchema.migrations { try connection.execute(step, "make the database") }
    try connection.execute("COMMIT", "make the database")
    try connection.checkpoint(cuts: true)
  }
}

/// How a transaction came out.
enum CommitResult {
  case committed
  /// Definitely not: it failed before COMMIT, or COMMIT found the disk full.
  case refused(SQLiteError)
  /// COMMIT failed: what the file holds is known only after it was read again.
  case doubtful(SQLiteError)
}
