import Locks

/// The ledger's thread, from the lock of the directory to its end.
enum LedgerThread {
  static func main(
    _ settings: LedgerSettings, _ shared: LedgerShared,
    opened: Promise<Result<LedgerOpening, LedgerError>>
  ) {
    do throws(LedgerError) {
      let writer = try writer(settings, shared, opened: opened)
      writer.run()
    } catch {
      opened.fulfil(.failure(error))
    }
  }

  /// Opens the ledger and tells what was found. The connection is the writer's alone afterwards: it
  /// must be gone when the writer lets go of it.
  private static func writer(
    _ settings: LedgerSettings, _ shared: LedgerShared,
    opened: Promise<Result<LedgerOpening, LedgerError>>
  ) throws(LedgerError) -> LedgerWriter {
    let began = SystemCalls.monotonicNanoseconds()
    let directory = try DataDirectory(path: settings.directory)
    let ledger = try OpenedLedger.open(
      path: directory.realDatabasePath, settings: settings, mayCreate: true,
      reading: .init(keyBound: settings.keyBound)
    ) { [shared] keys in shared.keys.restore(keys) }
    let writer = try LedgerWriter(
      settings: settings, shared: shared, directory: directory, opened: ledger)
    let took = SystemCalls.monotonicNanoseconds() - began
    opened.fulfil(
      .success(
        LedgerOpening(
          nodeID: ledger.reading.meta.nodeID, origin: ledger.origin,
          endedOrigins: ledger.endedOrigins, windows: ledger.windows,
          openWindows: ledger.openWindows, fleet: ledger.fleet, held: ledger.held,
          learned: ledger.reading.meta.learned, alerts: ledger.reading.meta.alerts,
          changes: ledger.changes, time: ledger.time,
          keyCount: ledger.reading.keyCount, isNew: ledger.isNew,
          wasCopied: ledger.wasCopied, duration: .nanoseconds(took))))
    return writer
  }
}
