import Synchronization

extension LedgerWriter {
  /// Nothing more is recorded, though the store may be kept for a copy.
  var hasFailed: Bool { store == nil || loss?.fate == .overwritten }

  /// Frames of the log that the database has not taken over.
  var logFrames: Int { store?.connection.logFrames ?? 0 }

  /// Looks at all files.
  func checkFiles() {
    guard !hasFailed else { return }
    guard let found = files.anyLoss(logFrames: logFrames) else {
      // They are back where they were, and nobody else can have opened them: this process has
      // their locks. The next write tells that all is well.
      loss = nil
      return
    }
    take(found)
  }

  /// Before a transaction: why nothing may be written; nil: nothing is known to be wrong. Where
  /// commits follow each other closely, most of them need not look at the paths.
  func lossBeforeWriting() -> SQLiteError? {
    if loss == nil, let found = files.cutLog(frames: logFrames) { take(found) }
    if loss == nil, schedule.looksAtFiles(), let found = files.loss(logFrames: logFrames) {
      take(found)
    }
    return loss.map { .filesGone($0.text) }
  }

  /// After each commit, before anybody is answered: nil where the next start finds it. At the log's
  /// path no look is needed: where it goes, the database takes it over within a second.
  ///
  /// `before`: frames that the log had before.
  func lossAfterCommit(logFrames before: Int) -> SQLiteError? {
    if let error = cutAfterCommit(logFrames: before) { return error }
    guard !files.isDatabaseInPlace, let found = files.loss(logFrames: 0) else { return nil }
    take(found)
    return loss.map { .filesGone($0.text) }
  }

  /// After each commit, of records or not: whether the log still has all that was written to it.
  func cutAfterCommit(logFrames before: Int) -> SQLiteError? {
    guard let found = files.cutLog(before: before, frames: logFrames) else { return nil }
    take(found)
    return loss.map { .filesGone($0.text) }
  }

  private func take(_ found: FileLoss) {
    guard let store else { return }
    // It stays saved: nothing is written meanwhile.
    var found = found
    if found.part == .log, found.fate != .overwritten { found.isSaved = isSaved(store) }
    // Another may be made in its place, for a copy: this one stays removed.
    if loss?.part == .directory, loss?.fate == .removed, found.part == .directory { return }
    loss = found
    if found.part == .directory, found.fate == .removed {
      shared.isDirectoryGone.store(true, ordering: .releasing)
    }
    // Of the database's pages those in memory belong to the file that was; the log's are checked
    // one by one when they are copied.
    guard found.fate != .overwritten else { return fail(found.text, keeping: found.part == .log) }
    setState(.refusing(reason: found.text))
  }

  /// Takes a log that has lost its name over into the database, which has kept its own.
  private func isSaved(_ store: LedgerStore) -> Bool {
    if loss?.isSaved == true { return true }
    guard files.cutLog(frames: logFrames) == nil else { return false }
    defer { files.noteDatabase() }
    do throws(SQLiteError) {
      try store.checkpoint(cuts: false)
      return store.connection.logFrames == 0
    } catch {
      return false
    }
  }
}
