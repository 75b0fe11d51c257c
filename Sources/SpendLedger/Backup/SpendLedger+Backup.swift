public import BudgetModel
import Locks
import Synchronization

extension SpendLedger {
  /// Bytes that a copy's name has at most.
  public static let longestBackupName = BackupName.longest

  /// Copies the ledger to a file called `name` in the backup directory; an empty name stands for
  /// one made of the date. A copy is there as a whole or not at all.
  ///
  /// Waits for the disk; records are committed meanwhile, and the copy is of one of those commits.
  /// It opens as a new origin. One is made at a time.
  public func backup(
    named name: String, at now: Timestamp
  ) throws(LedgerError) -> LedgerBackup {
    if shared.stop.isSet { throw .closed }
    if !name.isEmpty, let complaint = BackupName.complaint(name) {
      throw .backupName(name, reason: complaint)
    }
    guard
      shared.isBackingUp.compareExchange(
        expected: false, desired: true, ordering: .acquiringAndReleasing
      ).exchanged
    else { throw .backupUnderWay }
    defer { shared.isBackingUp.store(false, ordering: .releasing) }
    let result: Result<LedgerBackup, LedgerError>
    do throws(SystemFailure) {
      // Its usual place went with the data directory.
      if backups.directory == nil, shared.isDirectoryGone.load(ordering: .acquiring) {
        try SystemCalls.makeDirectories(backupPath)
      }
      result = try copy(to: try .opened(backupPath), name, at: now)
    } catch {
      throw .backup("\(backupPath): \(error.text)")
    }
    return try result.get()
  }

  private func copy(
    to directory: consuming BackupDirectory, _ wanted: String, at now: Timestamp
  ) throws(SystemFailure) -> Result<LedgerBackup, LedgerError> {
    let name = wanted.isEmpty ? freeName(in: directory, at: now) : wanted
    if directory.holds(name) {
      return .failure(.backupName(name, reason: "\(directory.path) has a file of that name"))
    }
    guard try directory.copyCount() < backups.kept else {
      return .failure(
        .backup(
          "\(directory.path) holds as many copies as it may, \(backups.kept): move or delete some, "
            + "or raise --backups-kept"))
    }
    let room = try directory.freeBytes() - backups.reserveBytes
    let file = try directory.begin()
    var isWhole = false
    defer { if !isWhole { directory.discard(file) } }
    let path = directory.path + "/" + file.name
    if let error = draw(BackupDraft(path: path, room: room)) { return .failure(error) }
    try directory.seal(file)
    if let error = LedgerStore.complaint(ofCopy: path, stoppingOn: shared.stop) {
      return .failure(shared.stop.isSet ? .closed : .backup(error.text))
    }
    let bytes = try directory.finish(file, as: name)
    isWhole = true
    return .success(LedgerBackup(path: directory.path + "/" + name, bytes: bytes))
  }

  /// Has the ledger's thread write the copy between its commits; nil: it is written.
  private func draw(_ draft: BackupDraft) -> LedgerError? {
    let reply = Promise<LedgerError?>()
    guard shared.queue.ask(.backup(draft, reply: reply)) else { return .closed }
    return reply.wait()
  }

  /// Several copies may be made within a second.
  private func freeName(in directory: borrowing BackupDirectory, at now: Timestamp) -> String {
    var number = 1
    while number <= backups.kept, directory.holds(BackupName.dated(now, number: number)) {
      number += 1
    }
    return BackupName.dated(now, number: number)
  }

  /// The process is about to end: a copy that is being made is given up, and no other begins.
  public func giveUpBackups() { shared.stop.set() }
}
