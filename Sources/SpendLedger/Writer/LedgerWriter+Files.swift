extension LedgerWriter {
  /// How often all files are looked at.
  static let fileCheckInterval: Int64 = 1_000_000_000

  private var logFrames: Int { store?.connection.logFrames ?? 0 }

  /// Looks at all files, once a second.
  func watchFiles() {
    guard store != nil, lastTake - lastFileCheck >= Self.fileCheckInterval else { return }
    lastFileCheck = lastTake
    checkFiles()
  }

  func checkFiles() {
    guard store != nil else { return }
    guard let found = files.anyLoss(logFrames: logFrames) else {
      // They are back where they were, and nobody else can have opened them: this process has
      // their locks. What is next written tells that all is well.
      loss = nil
      return
    }
    take(found)
  }

  /// Before a transaction: why nothing may be written; nil: nothing is known to be wrong. Where
  /// commits follow each other closely, most of them need not look.
  func lossBeforeWriting() -> SQLiteError? {
    if loss == nil, lastTake - lastFileLook >= settings.fileLookInterval.nanoseconds {
      lastFileLook = lastTake
      if let found = files.loss(logFrames: logFrames) { take(found) }
    }
    return loss.map { .filesGone($0.text) }
  }

  /// After each commit, before anybody is answered: nil where the next start finds it. Of the log
  /// no look is needed: where it goes, the database takes it over within a second.
  func lossAfterCommit() -> SQLiteError? {
    guard !files.isDatabaseInPlace, let found = files.loss(logFrames: 0) else { return nil }
    take(found)
    return loss.map { .filesGone($0.text) }
  }

  private func take(_ found: FileLoss) {
    guard let store else { return }
    // It stays saved: nothing is written meanwhile.
    var found = found
    if found.part == .log, found.fate != .overwritten { found.isSaved = isSaved(store) }
    loss = found
    guard found.fate != .overwritten else { return fail(found.text) }
    setState(.refusing(reason: found.text))
  }

  /// Takes a log that has lost its name over into the database, which has kept its own.
  private func isSaved(_ store: LedgerStore) -> Bool {
    if loss?.isSaved == true { return true }
    defer { files.noteDatabase() }
    do throws(SQLiteError) {
      try store.checkpoint(cuts: false)
      return store.connection.logFrames == 0
    } catch {
      return false
    }
  }
}
