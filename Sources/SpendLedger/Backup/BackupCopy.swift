import Locks
import Synchronization

/// A copy that the ledger's thread makes between commits, a slice at a time.
///
/// One connection is the only way to the database: a second one, with a reader that stays, would
/// need shared memory, and would keep the log from being taken over and cut until the copy is done.
final class BackupCopy {
  /// How a slice came out.
  enum Progress {
    case goesOn
    /// The copy is whole, or was given up for a reason.
    case ended(LedgerError?)
  }

  private static let pagesPerStep: Int32 = 16

  private let backup: SQLiteBackup
  /// Whoever waits for the copy; told once the copy is let go of, since its file is locked till
  /// then.
  let reply: Promise<LedgerError?>

  /// Begins the copy.
  init(
    _ draft: BackupDraft, of store: LedgerStore, reply: Promise<LedgerError?>
  ) throws(SQLiteError) {
    backup = try store.backup(to: draft.path)
    self.reply = reply
  }

  /// Copies for about so many nanoseconds.
  func goOn(
    _ nanoseconds: Int64, _ store: LedgerStore, stoppingOn flag: StopFlag
  ) -> Progress {
    let began = SystemCalls.monotonicNanoseconds()
    do throws(SQLiteError) {
      repeat {
        if flag.isSet { return .ended(.closed) }
        try store.beforeCopying()
        if try backup.step(pages: Self.pagesPerStep) { return .ended(nil) }
      } while SystemCalls.monotonicNanoseconds() - began < nanoseconds
      return .goesOn
    } catch {
      return .ended(.backup(error.text))
    }
  }
}

/// Tells one thread that it may stop what it does; never taken back.
final class StopFlag: Sendable {
  private let flag = Atomic<Bool>(false)

  var isSet: Bool { flag.load(ordering: .relaxed) }

  func set() { flag.store(true, ordering: .relaxed) }
}
