import CSQLite

/// The owner of a connection: closed once, when it goes. Used by one thread only.
///
/// SQL is only ever a literal of this module; values are bound.
@safe struct SQLiteConnection: ~Copyable {
  private let handle: OpaquePointer
  /// SQLite's hook writes here how many frames the WAL has after each commit.
  private let frames: UnsafeMutablePointer<Int32>

  /// Opens an existing file. Nothing is read or locked yet.
  init(path: String) throws(SQLiteError) {
    var opened: OpaquePointer?
    let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW
    let code = unsafe sqlite3_open_v2(path, &opened, flags, nil)
    guard code == SQLITE_OK, let handle = unsafe opened else {
      unsafe sqlite3_close_v2(opened)
      let isLink = SystemCalls.isLink(path)
      throw SQLiteError(
        code: code, message: isLink ? Self.linkText : Self.text(of: code),
        operation: "open \(path)")
    }
    unsafe self.handle = handle
    unsafe frames = .allocate(capacity: 1)
    unsafe frames.initialize(to: 0)
    unsafe sqlite3_extended_result_codes(handle, 1)
    // Nobody else may hold the file: waiting for them would only hide it.
    unsafe sqlite3_busy_timeout(handle, 0)
  }

  // Statements that are still there keep the connection until they go.
  deinit {
    unsafe sqlite3_close_v2(handle)
    unsafe frames.deallocate()
  }

  private static let linkText =
    "it is a symbolic link; put the file itself there (the data directory may be a link)"

  fileprivate static func text(of code: Int32) -> String {
    guard let text = unsafe sqlite3_errstr(code) else { return "error \(code)" }
    return unsafe String(cString: text)
  }

  fileprivate func error(_ operation: String) -> SQLiteError {
    let message = unsafe sqlite3_errmsg(handle).map { unsafe String(cString: $0) }
    return unsafe SQLiteError(
      code: sqlite3_extended_errcode(handle), message: message ?? "unknown", operation: operation)
  }

  /// No SQL can write to the schema or to shadow tables, and closing leaves the WAL as it is: a
  /// file that is refused is not touched.
  func defend() {
    unsafe _ = csqlite_set_flag(handle, SQLITE_DBCONFIG_DEFENSIVE, 1)
    unsafe _ = csqlite_set_flag(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
    unsafe _ = csqlite_set_flag(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
  }

  /// Counts the WAL's frames from now on; after `wal_autocheckpoint`, which takes the same hook.
  func watchLog() { unsafe csqlite_watch_wal(handle, frames) }

  /// Runs statements that return nothing of interest.
  func execute(_ sql: StaticString, _ operation: String) throws(SQLiteError) {
    let text = unsafe UnsafeRawPointer(sql.utf8Start).assumingMemoryBound(to: CChar.self)
    let code = unsafe sqlite3_exec(handle, text, nil, nil, nil)
    if code != SQLITE_OK { throw error(operation) }
  }

  /// Prepares a statement that is used again and again.
  func prepare(_ sql: StaticString) throws(SQLiteError) -> SQLiteStatement {
    var statement: OpaquePointer?
    let text = unsafe UnsafeRawPointer(sql.utf8Start).assumingMemoryBound(to: CChar.self)
    let code = unsafe sqlite3_prepare_v3(
      handle, text, Int32(sql.utf8CodeUnitCount), UInt32(SQLITE_PREPARE_PERSISTENT), &statement,
      nil)
    guard code == SQLITE_OK, let statement = unsafe statement else {
      throw error("prepare a statement")
    }
    return unsafe SQLiteStatement(adopting: statement)
  }

  /// Runs `body`, which SQLite gives up soon after the flag is set.
  func stopping(
    on flag: StopFlag, _ body: () throws(SQLiteError) -> Void
  ) throws(SQLiteError) {
    let context = unsafe Unmanaged.passUnretained(flag).toOpaque()
    let isStopped: @convention(c) (UnsafeMutableRawPointer?) -> Int32 = { context in
      guard let context = unsafe context else { return 0 }
      return unsafe Unmanaged<StopFlag>.fromOpaque(context).takeUnretainedValue().isSet ? 1 : 0
    }
    unsafe sqlite3_progress_handler(handle, Self.stepsBetweenLooks, isStopped, context)
    defer {
      unsafe sqlite3_progress_handler(handle, 0, nil, nil)
      withExtendedLifetime(flag) {}
    }
    try body()
  }

  /// Steps of SQLite's machine: a row of a table takes three to be copied, and may have 200 kB.
  private static let stepsBetweenLooks: Int32 = 50

  /// SQLite's object for a copy of this database to `target`; nil: `target` knows why.
  fileprivate func backup(to target: borrowing SQLiteConnection) -> OpaquePointer? {
    unsafe sqlite3_backup_init(target.handle, "main", handle, "main")
  }

  /// Whether a transaction is under way.
  var isInTransaction: Bool { unsafe sqlite3_get_autocommit(handle) == 0 }

  /// Frames of the WAL that no checkpoint has taken over since.
  var logFrames: Int { unsafe Int(frames.pointee) }

  /// Takes the WAL's frames over into the database; `cuts` also makes its file empty.
  func checkpoint(cuts: Bool) throws(SQLiteError) {
    var inLog: Int32 = 0
    var taken: Int32 = 0
    let mode = cuts ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE
    let code = unsafe sqlite3_wal_checkpoint_v2(handle, nil, mode, &inLog, &taken)
    if code != SQLITE_OK { throw error("checkpoint") }
    if taken == inLog { unsafe frames.pointee = 0 }
  }
}

/// A copy of a database on its way to another file, a few pages at a time, through the database's
/// own connection. Used by that connection's thread only; gone before the connection is.
///
/// SQLite begins such a copy anew where another connection writes to the database meanwhile. What
/// this one writes between two steps goes to the copy as well, so it is one commit's: the last
/// before its last step.
@safe struct SQLiteBackup: ~Copyable {
  private let handle: OpaquePointer
  /// The copy goes here.
  private let target: SQLiteConnection

  /// Begins a copy of what `source` has open to the empty file at `path`, which the caller puts on
  /// disk when it is whole.
  init(of source: borrowing SQLiteConnection, to path: String) throws(SQLiteError) {
    let target = try SQLiteConnection(path: path)
    try target.execute(
      """
      PRAGMA locking_mode = EXCLUSIVE;
      PRAGMA journal_mode = OFF;
      PRAGMA synchronous = OFF;
      """, "make the copy")
    guard let handle = unsafe source.backup(to: target) else {
      throw target.error("begin the copy")
    }
    unsafe self.handle = handle
    self.target = target
  }

  deinit { unsafe _ = sqlite3_backup_finish(handle) }

  /// Copies so many pages; true: the copy is whole.
  func step(pages: Int32) throws(SQLiteError) -> Bool {
    let code = unsafe sqlite3_backup_step(handle, pages)
    if code == SQLITE_OK { return false }
    if code == SQLITE_DONE { return true }
    throw SQLiteError(
      code: code, message: SQLiteConnection.text(of: code), operation: "copy the database")
  }
}
