import Glibc

/// Watches that the ledger's files are still what their names lead to. Each is held open, so that
/// its inode's number serves no other file meanwhile.
struct LedgerFiles: ~Copyable {
  /// A file that is held, and what it was when it was taken.
  private struct Held: ~Copyable {
    let path: String
    let descriptor: Descriptor
    let status: FileStatus

    static func taken(_ path: String) throws(SystemFailure) -> Held {
      let descriptor = try Descriptor(path, O_RDONLY)
      guard let status = descriptor.status else { throw SystemFailure(call: "fstat", code: errno) }
      return Held(path: path, descriptor: descriptor, status: status)
    }

    /// The name's fate; nil: it leads to the file.
    func fate(_ look: PathLook) -> FileLoss.Fate? {
      switch look {
      case .there(let found): found.isSameFile(as: status) ? nil : .replaced
      case .absent: isLinked ? .movedAway : .removed
      case .unknown: nil
      }
    }

    var isLinked: Bool { descriptor.status.map { $0.links > 0 } ?? true }
  }

  private let directory: Held
  /// Closed after SQLite's own descriptor: closing any of a process gives up all its locks.
  private let database: Held
  private var log: Held
  private let lock: Held

  /// The database as this process left it.
  private var size: Int64
  private var written: Int64
  private var header: [UInt8]
  /// The log's first bytes as this process left them; nil: not read yet.
  private var logHeader: SIMD4<UInt64>?
  private var read = [UInt8](repeating: 0, count: 16_384)

  /// Takes the files of an open ledger.
  static func taken(of directory: borrowing DataDirectory) throws(LedgerError) -> LedgerFiles {
    let path = directory.databasePath
    do throws(SystemFailure) {
      let database = try Held.taken(path)
      let (size, written) = (database.status.size, database.status.written)
      let header = header(of: database)
      let log = try Held.taken(logPath(path))
      let logHeader = log.descriptor.words(at: 0)
      return LedgerFiles(
        directory: try .taken(directory.path), database: database, log: log,
        lock: try .taken(DataDirectory.lockPath(in: directory.path)), size: size, written: written,
        header: header, logHeader: logHeader)
    } catch {
      throw .directory(path: directory.path, reason: error.text)
    }
  }

  /// Empty where it cannot be read: then nothing is compared.
  private static func header(of database: borrowing Held) -> [UInt8] {
    (try? database.descriptor.head(count: FileCheck.headerBytes)) ?? []
  }

  private static func logPath(_ database: String) -> String { database + "-wal" }

  /// The database was read again; false: it is not the file that it was.
  mutating func reopened() -> Bool {
    guard isDatabaseInPlace,
      let log = try? Held.taken(Self.logPath(database.path))
    else { return false }
    logHeader = log.descriptor.words(at: 0)
    self.log = log
    noteDatabase()
    return true
  }

  /// This process has written to the database, in a checkpoint.
  mutating func noteDatabase() {
    guard let status = database.descriptor.status else { return }
    (size, written) = (status.size, status.written)
    header = Self.header(of: database)
  }

  /// Whether the database's path leads to it: one look, for after each commit. A directory that is
  /// not the same has another database, or none.
  var isDatabaseInPlace: Bool { database.fate(SystemCalls.look(at: database.path)) == nil }

  /// A commit needs to know that the next start finds what it writes. Costs three looks at paths.
  ///
  /// `logFrames`: so many pages the log has for certain.
  func loss(logFrames: Int) -> FileLoss? {
    if let fate = directory.fate(SystemCalls.look(at: directory.path)) {
      return FileLoss(part: .directory, path: directory.path, fate: fate)
    }
    let (atDatabase, atLog) = (
      SystemCalls.look(at: database.path), SystemCalls.look(at: log.path)
    )
    if let fate = database.fate(atDatabase) {
      return FileLoss(part: .database, path: database.path, fate: fate)
    }
    if case .there(let status) = atDatabase, status.size != size {
      return FileLoss(part: .database, path: database.path, fate: .overwritten)
    }
    if let fate = log.fate(atLog) { return FileLoss(part: .log, path: log.path, fate: fate) }
    guard case .there(let status) = atLog, logFrames > 0 else { return nil }
    if status.size < logBytes(logFrames) { return overwrittenLog }
    // A file that cannot be read now has not changed for that: SQLite meets an error that matters.
    guard let logHeader, let found = log.descriptor.words(at: 0) else { return nil }
    return found == logHeader ? nil : overwrittenLog
  }

  /// Before each commit, and before the log is taken over: whether another program has cut it.
  func cutLog(frames: Int) -> FileLoss? {
    guard frames > 0, let length = log.descriptor.length else { return nil }
    return length < logBytes(frames) ? overwrittenLog : nil
  }

  /// After each commit: whether the log is what this process wrote, from its first byte to its
  /// last. `before`: so many frames it had before the commit; 0: it began anew.
  ///
  /// A log that was cut meanwhile has grown again, past a hole of zeros. The hole ends where the
  /// commit's frames begin, so that it takes what stands before them, the last frame or the header:
  /// each frame bears the salts of the header. A commit of a few frames costs one read here.
  mutating func cutLog(before: Int, frames: Int) -> FileLoss? {
    guard frames > 0, pageBytes > 0 else { return nil }
    let isNew = before == 0 || frames < before
    if isNew || logHeader == nil {
      guard let header = log.descriptor.words(at: 0) else { return cutLog(frames: frames) }
      guard header[0] != 0 else { return overwrittenLog }
      logHeader = header
    }
    guard let header = logHeader else { return nil }
    let first = logBytes(isNew ? 0 : before - 1)
    let rest = logBytes(frames) - first
    let isShort = rest <= read.count
    let wanted = isShort ? rest : LogCheck.frameHeaderBytes
    guard let count = log.descriptor.read(wanted, at: first, into: &read) else {
      return cutLog(frames: frames)
    }
    if count < wanted { return overwrittenLog }
    let salts = Self.word(read, 8)
    guard salts == header[2] else { return overwrittenLog }
    return isShort ? nil : cutLog(frames: frames)
  }

  private static func word(_ bytes: [UInt8], _ offset: Int) -> UInt64 {
    (0..<8).reduce(0) { $0 | UInt64(bytes[offset + $1]) << UInt64(8 * $1) }
  }

  private var overwrittenLog: FileLoss {
    FileLoss(part: .log, path: log.path, fate: .overwritten)
  }

  /// As `loss`, and looks at the lock and into the database too.
  mutating func anyLoss(logFrames: Int) -> FileLoss? {
    if let loss = loss(logFrames: logFrames) { return loss }
    if let status = database.descriptor.status, status.written != written {
      // Its times can be set without a change of its contents.
      let found = Self.header(of: database)
      guard found.isEmpty || header.isEmpty || found == header else {
        return FileLoss(part: .database, path: database.path, fate: .overwritten)
      }
      written = status.written
    }
    let fate = lock.fate(SystemCalls.look(at: lock.path))
    return fate.map { FileLoss(part: .lock, path: lock.path, fate: $0) }
  }

  /// How long a log of so many frames is at least.
  private func logBytes(_ frames: Int) -> Int {
    guard pageBytes > 0 else { return 0 }
    return LogCheck.headerBytes + frames * (LogCheck.frameHeaderBytes + pageBytes)
  }

  /// 0 where the header could not be read.
  private var pageBytes: Int {
    guard header.count == FileCheck.headerBytes else { return 0 }
    let page = Int(header[16]) << 8 | Int(header[17])
    return page == 1 ? 65_536 : page
  }
}
