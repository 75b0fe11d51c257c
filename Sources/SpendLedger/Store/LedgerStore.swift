import Glibc

/// The database: one connection, its statements, its transactions. Used by one thread only.
final class LedgerStore {
  let path: String
  let connection: SQLiteConnection
  private let probe: (any StorageProbe)?
  let statements: LedgerStatements
  let fleet: FleetStatements

  /// Opens an existing database and checks it. What is refused is not touched: nothing is written
  /// here but the steps of a migration.
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
      PRAGMA foreign_keys = ON;
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
    for step in LedgerSchema.migrations.dropFirst(Int(version)) {
      try connection.execute("BEGIN IMMEDIATE", "migrate")
      do {
        try connection.execute(step, "migrate")
        try connection.execute("COMMIT", "migrate")
      } catch {
        // What failed is told; the rollback of what is left of it adds nothing.
        try? connection.execute("ROLLBACK", "roll back")
        throw error
      }
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

  /// About how large a copy is: the pages that hold something.
  func copyBytes() throws(SQLiteError) -> Int64 {
    let pages = try Self.integer("PRAGMA page_count", connection)
    let free = try Self.integer("PRAGMA freelist_count", connection)
    return (pages - free) * (try Self.integer("PRAGMA page_size", connection))
  }

  /// Reads all that a start reads and checks it, as the connection sees it.
  func check() throws(SQLiteError) {
    let finding = try Self.text("PRAGMA quick_check(1)", connection)
    guard finding == "ok" else { throw .unreadable(finding) }
    do throws(LedgerError) {
      let reading = try LedgerReading.read(self, .init(keyBound: .max)) { _ in }
      _ = try LedgerReading.image(self, budgets: reading.budgets)
      _ = try LedgerReading.fleet(self, budgets: reading.budgets)
    } catch {
      throw .unreadable("\(error)")
    }
  }

  /// Writes a copy to an empty file; given up soon after `flag` is set.
  func copy(to path: String, stoppingOn flag: StopFlag) throws(SQLiteError) {
    try connection.stopping(on: flag) { () throws(SQLiteError) in
      try inject(.copying)
      try statements.copy(to: path)
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
