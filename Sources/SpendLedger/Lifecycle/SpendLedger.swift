public import BudgetModel
import Foundation
import Locks
import Synchronization

/// A node's durable truth: what was spent, each record once.
///
/// Owns a data directory and one thread, which alone touches the disk. All calls may come from any
/// thread; only `open`, `settle`, `backup` and `close` wait.
public final class SpendLedger: Sendable {
  private let found: Locked<LedgerOpening>
  let shared: LedgerShared
  /// How many keys are remembered at most, beside those on their way to the disk.
  public let keyBound: Int
  let backups: BackupSettings
  /// The directory of copies.
  let backupPath: String
  private let ended: Promise<Void>

  /// Opens the ledger in its data directory, or makes one. Waits for the disk.
  ///
  /// Whatever is refused, a damaged file or another program's, is not touched.
  public static func open(_ settings: LedgerSettings) throws(LedgerError) -> SpendLedger {
    let shared = LedgerShared(settings: settings)
    let opened = Promise<Result<LedgerOpening, LedgerError>>()
    let ended = Promise<Void>()
    let thread = Thread {
      LedgerThread.main(settings, shared, opened: opened)
      ended.fulfil(())
    }
    thread.name = "ledger"
    thread.stackSize = 8 << 20
    thread.start()
    // Taken: the thread has the promise for as long as it lives, and the lists may be long.
    switch opened.take() {
    case .success(let opening):
      return SpendLedger(settings, opening: opening, shared: shared, ended: ended)
    case .failure(let error):
      ended.wait()
      throw error
    }
  }

  private init(
    _ settings: LedgerSettings, opening: LedgerOpening, shared: LedgerShared, ended: Promise<Void>
  ) {
    found = Locked(opening)
    keyBound = settings.keyBound
    backups = settings.backups
    backupPath = settings.backups.directory ?? settings.directory + "/backups"
    self.shared = shared
    self.ended = ended
  }

  // Queued records are still committed; nobody waits for them.
  deinit { shared.queue.close(.closing, ends: true) }

  /// The state in which the ledger was found when it was opened.
  public var opening: LedgerOpening { found.withLock { $0 } }

  /// The lists of windows in `opening` are empty from now on: of a million budgets they would take
  /// some hundred bytes each for as long as the process lives.
  public func forgetOpenedWindows() {
    found.withLock { opening in
      opening.windows = []
      opening.openWindows = []
      opening.fleet = []
      opening.held = []
      opening.learned = []
      opening.alerts = []
      opening.changes = []
    }
  }

  /// Starts recording. Called once, after the caller has restored `opening.windows`; records that
  /// come before are refused.
  public func start(_ client: any LedgerClient) { shared.queue.add(.start(client)) }

  /// Queues a record (`--durability commit`): answer when `LedgerClient.finished` tells the
  /// outcome.
  ///
  /// `slots` are the caller's own small numbers for the budgets that the whole amount is charged
  /// to, each once, all at least 0. Never waits for the disk.
  public func submit(_ record: LedgerRecord, charging slots: [Int32]) -> Submission {
    check(record)
    if let refusal = shared.queue.add(record, slots: slots, isClaimed: false) {
      return .refused(refusal)
    }
    return .queued
  }

  /// A record with this digest of its key is about to be accepted. A hint that saves the wait for
  /// memory: it changes nothing.
  public func expect(_ digest: UInt128) { shared.keys.fetch(digest) }

  /// Claims a record's key and queues it in one step (`--durability memory`): answer at once.
  ///
  /// A claim ends when the record definitely fails: its key is free again. Never waits for the
  /// disk.
  public func accept(
    _ record: LedgerRecord, charging slots: [Int32], at now: Timestamp
  ) -> Acceptance {
    check(record)
    guard let key = record.key else {
      return shared.queue.add(record, slots: slots, isClaimed: false).map { .refused($0) }
        ?? .accepted
    }
    // Only a key that bears its time is judged by the horizon.
    let horizon = key.madeAt == nil ? nil : shared.withStatus { $0.horizon }
    var refusal: Acceptance?
    let (claim, isKept) = shared.keys.claim(key.digest, key.fingerprint) {
      let madeAt = key.madeAt?.unixMilliseconds ?? QueuedRecord.noTime
      switch horizon?.refusal(keyMadeAt: madeAt, at: now) {
      case .tooOld(let horizon): refusal = .tooOld(horizon: horizon)
      default:
        refusal = shared.queue.add(record, slots: slots, isClaimed: true).map { .refused($0) }
      }
      return refusal == nil
    }
    if !isKept, let refusal { return refusal }
    switch claim {
    case .claimed:
      if let horizon, let madeAt = key.madeAt?.unixMilliseconds,
        horizon.isAhead(keyMadeAt: madeAt, at: now)
      {
        shared.count(keysAhead: 1)
      }
      return .accepted
    case .duplicate: return .duplicate
    case .inFlight: return .inFlight
    case .mismatch: return .mismatch
    }
  }

  private func check(_ record: LedgerRecord) {
    precondition(
      record.amount >= .zero && record.amount <= .maximumRecord, "an amount out of its bounds")
  }

  /// A budget's window text changed and its length did not: its spend goes by the new key, durably
  /// with the next commit. Harmless where there is no such budget, or when repeated.
  public func rename(from old: BudgetKey, to new: BudgetKey) {
    shared.queue.add(.rename(from: old, to: new))
  }

  /// Windows that opened without a charge, so that a restart finds them open; on disk within the
  /// fold interval.
  public func noteOpened(_ windows: [BudgetWindow]) { shared.queue.add(.opened(windows)) }

  /// The window of a budget that is open at `now` ends there: a restart does not find it open.
  public func noteClosed(_ key: BudgetKey, at now: Timestamp) {
    shared.queue.add(.closed(key, now))
  }

  /// All that reservations keep back in these budgets: the next start finds it
  /// (`LedgerOpening.held`). On disk with the next commit, or within the fold interval.
  public func note(_ held: [HeldBudget]) { shared.queue.add(.held(held)) }

  /// The costs of requests so far: the next start finds them (`LedgerOpening.learned`). Losing them costs
  /// nothing but expectations.
  public func note(_ costs: [LearnedCost]) { shared.queue.add(.learned(costs)) }

  /// Waits until all that was queued or noted before is on disk; false: it could not be written.
  @discardableResult
  public func settle() -> Bool {
    let reply = Promise<Bool>()
    guard shared.queue.ask(.settle(reply: reply)) else { return false }
    return reply.wait()
  }

  /// Has the ledger's thread call `done` when it next goes round: one that hangs never does. False: it
  /// has ended, or takes nothing more.
  public func answer(_ done: @escaping @Sendable () -> Void) -> Bool {
    shared.queue.ask(.answer(done))
  }

  /// Whether the ledger records.
  public var state: LedgerState { shared.withStatus { $0.state } }

  /// Whether the state is `ready`. One atomic load.
  public var isReady: Bool { shared.isReady.load(ordering: .acquiring) }

  /// Whether the queue is half full: records that are answered when they are on disk hold their
  /// callers back, so that it does not fill. One atomic load.
  public var isHalfFull: Bool { shared.queue.isHalfFull }

  /// How long the oldest record that is not on disk has waited; zero where all are. Takes no lock,
  /// and is some milliseconds coarse.
  public var lag: Duration { shared.queue.lag }

  /// Keys made before this instant may have been forgotten: with them a retry is not safe.
  public func horizon(at now: Timestamp) -> Timestamp {
    shared.withStatus { $0.horizon }.horizon(at: now)
  }

  /// Counts of the ledger's work, and how full it is. Costs some microseconds.
  public var counters: LedgerCounters {
    var counters = shared.withStatus { $0.counters }
    counters.keys = shared.keys.count
    counters.keyIndexBytes = shared.keys.bytes
    (counters.waiting, counters.refusedAtQueue) = shared.queue.numbers
    return counters
  }

  /// Commits what is queued, folds, checkpoints, unlocks the directory. Waits for all that; later
  /// records are refused, later calls do nothing.
  public func close() {
    giveUpBackups()
    shared.queue.close(.closing, ends: true)
    ended.wait()
  }
}
