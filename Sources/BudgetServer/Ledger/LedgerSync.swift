import BudgetEngine
import BudgetModel
import Logging
import SpendLedger

/// Takes what a start or a reload changed about windows to the ledger, so that the next start finds
/// them so.
enum LedgerSync {
  /// Precondition: the windows' gate is held, or no record can come yet.
  static func write(_ report: ReloadReport, to ledger: SpendLedger, at now: Timestamp) {
    for change in report.renamed { ledger.rename(from: change.from, to: change.to) }
    for change in report.closed { ledger.noteClosed(change.from, at: now) }
    if !report.opened.isEmpty {
      ledger.noteOpened(
        report.opened.map { BudgetWindow(key: $0.key, start: $0.start, end: $0.end) })
    }
  }

  /// The windows that the ledger knows, as the engine restores them.
  static func windows(_ opening: LedgerOpening) -> [BudgetWindowState] {
    opening.windows.map {
      BudgetWindowState(
        key: $0.window.key, start: $0.window.start, end: $0.window.end, spend: $0.spend)
    }
  }

  /// `windows` without those that have ended of names that have budgets by patterns alone. Nothing of
  /// them counts any more, and in the weeks that the ledger keeps them there may be millions.
  static func restorable(
    _ windows: [BudgetWindowState], _ configuration: BudgetConfiguration, at now: Timestamp
  ) -> [BudgetWindowState] {
    if configuration.patterns.isEmpty { return windows }
    func owner(_ key: BudgetKey) -> BudgetKey {
      BudgetKey(scope: key.scope, name: key.name, windowText: "")
    }
    let entries = Set(configuration.budgets.map { owner($0.key) })
    return windows.filter { window in
      window.end >= now || entries.contains(owner(window.key))
        || !configuration.patterns.contains {
          $0.key.scope == window.key.scope && $0.matches(window.key.name)
        }
    }
  }

  /// One line on what was found.
  static func log(_ opening: LedgerOpening, directory: String, at now: Timestamp, to log: Logger) {
    let open = opening.windows.count { $0.window.end >= now }
    let what =
      opening.isNew
      ? "new ledger in \(directory)"
      : "ledger in \(directory): \(open) open windows, \(opening.keyCount) idempotency keys, "
        + "read in \(opening.duration)"
    log.info("\(what); node \(opening.nodeID), origin \(opening.origin)")
    if opening.wasCopied {
      log.notice("the data directory is a copy or was moved: it goes on as a new origin")
    }
    if case .clamped(let behind) = opening.time.source {
      log.warning(
        "the wall clock is \(behind) ms behind what the ledger has recorded: time goes on from there"
      )
    }
  }
}
