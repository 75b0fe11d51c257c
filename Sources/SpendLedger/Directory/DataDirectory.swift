import Glibc

/// The data directory while this process has it: made where missing, and locked.
struct DataDirectory: ~Copyable {
  /// As it was given: where the next start looks.
  let path: String
  /// The database by a path without links: SQLite follows none.
  let realDatabasePath: String
  /// Its file is locked for as long as it is open.
  let lock: Descriptor

  /// Makes or takes the directory. Nothing in it is touched but `LOCK`.
  init(path: String) throws(LedgerError) {
    let lock = try Self.locked(path)
    realDatabasePath = Self.databasePath(in: try Self.real(path))
    self.path = path
    self.lock = lock
    self.lock.write("\(SystemCalls.processID)\n")
  }

  private static func real(_ path: String) throws(LedgerError) -> String {
    do throws(SystemFailure) {
      return try SystemCalls.realPath(path)
    } catch {
      throw .directory(path: path, reason: error.text)
    }
  }

  private static func locked(_ path: String) throws(LedgerError) -> Descriptor {
    do throws(SystemFailure) {
      if SystemCalls.status(of: path) == nil {
        try SystemCalls.makeDirectory(path)
        try SystemCalls.synchronize(parent(of: path))
      }
    } catch {
      throw .directory(path: path, reason: error.text)
    }
    guard SystemCalls.status(of: path)?.isDirectory == true else {
      throw .directory(path: path, reason: "it is not a directory")
    }
    let lock: Descriptor
    do throws(SystemFailure) {
      try SystemCalls.isWritable(path)
      lock = try Descriptor(lockPath(in: path), O_RDWR | O_CREAT, mode: 0o600)
    } catch {
      throw .directory(path: path, reason: error.text)
    }
    guard lock.lock() else {
      // Unreadable is as good as empty: the holder is not known.
      let text = (try? SystemCalls.head(of: lockPath(in: path), count: 16)) ?? []
      let holder = Int32(String(decoding: text.prefix { $0 > 0x20 }, as: UTF8.self))
      throw .inUse(path: path, processID: holder ?? 0)
    }
    return lock
  }

  var databasePath: String { Self.databasePath(in: path) }

  static func lockPath(in directory: String) -> String { directory + "/LOCK" }

  static func databasePath(in directory: String) -> String { directory + "/ledger.sqlite" }

  static func parent(of path: String) -> String {
    let trimmed = path.last == "/" && path.count > 1 ? String(path.dropLast()) : path
    guard let slash = trimmed.lastIndex(of: "/") else { return "." }
    return slash == trimmed.startIndex ? "/" : String(trimmed[..<slash])
  }
}

extension SpendLedger {
  /// Whether a ledger is kept in `directory`. Opens and changes nothing.
  public static func isKept(in directory: String) -> Bool {
    SystemCalls.status(of: DataDirectory.databasePath(in: directory)) != nil
  }
}
