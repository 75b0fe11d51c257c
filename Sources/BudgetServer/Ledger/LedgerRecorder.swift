import BudgetEngine
import BudgetModel
import BudgetWire
import Dispatch
import Locks
import Logging
import SpendLedger
import TCPTransport

/// Joins ledger, engine and replies: a record is pending in the engine while it waits for the disk,
/// and becomes spend, and is answered, when its commit succeeded.
final class LedgerRecorder: SpendRecorder {
  let engine: BudgetEngine
  let ledger: SpendLedger
  let gate = WindowGate()
  let responses: ResponseWriter
  let log: Logger
  /// Questions that are too long for a lane wait here.
  let desk = HistoryDesk()
  private let time: any TimeSource
  private let durability: Durability
  /// How many records may wait for a commit.
  private let queueBound: Int
  private let replies = Locked<ReplyMailbox?>(nil)
  let requests: AllRequestCounts
  /// The counts of the ledger's thread.
  private let counts: RequestCounts
  private let spent = Locked(SpendTotals())
  /// The batch whose commit failed, until the file tells what became of it.
  private let doubtful = Locked<LedgerBatch?>(nil)

  /// The trace that outcomes of records are written to; nil: there is no trace.
  private let trace = Locked<TrafficTrace?>(nil)

  /// The charges of the batch that is being finished; only the ledger's thread takes them.
  private let sums = Locked(ChargeSums())

  /// The token of records that were answered when they were queued: no connection has this id.
  static let answered = LedgerToken(high: .max, low: .max)

  /// Past this lag records wait for the disk under `memory` too.
  private static let greatestLag = Duration.milliseconds(100)

  init(
    engine: BudgetEngine, ledger: SpendLedger, queueBound: Int, time: any TimeSource,
    durability: Durability, bounds: WireBounds, requests: AllRequestCounts, log: Logger
  ) {
    self.engine = engine
    self.requests = requests
    counts = requests.writer()
    self.queueBound = queueBound
    self.ledger = ledger
    self.time = time
    self.durability = durability
    responses = ResponseWriter(bounds: bounds)
    self.log = log
  }

  /// Sets the mailbox of replies that come later. Called before the first request can come.
  func connect(to mailbox: ReplyMailbox, trace: TrafficTrace? = nil) {
    replies.withLock { $0 = mailbox }
    self.trace.withLock { $0 = trace }
  }

  /// Whether records are accepted, and never taken back, before they are on disk.
  var acceptsForGood: Bool { durability == .memory }

  func expect(_ key: UInt128) {
    // Under `commit` the ledger's thread looks keys up, batch by batch.
    if durability == .memory { ledger.expect(key) }
  }

  func record(
    _ amount: PicoUSD, key: RecordKey?, to charged: borrowing ChargedSlots, token: LedgerToken,
    at now: Timestamp
  ) -> RecordAnswer {
    var record = LedgerRecord(amount: amount, key: key, token: token)
    // Pending first: the commit may come before the call returns.
    guard engine.addPending(amount, to: charged) else { return .outdated }
    let answer: RecordAnswer
    if answersAtOnce {
      record.token = Self.answered
      answer = accept(record, charged, at: now)
    } else {
      answer = submit(record, charged)
    }
    if answer != .deferred, answer != .recorded { engine.abandon(amount, of: charged) }
    return answer
  }

  func settle(
    _ settling: SettlingRecord, to charged: borrowing ChargedSlots, token: LedgerToken,
    at now: Timestamp
  ) -> RecordAnswer {
    let amount = settling.amount
    let begun = engine.addPending(
      amount, to: charged, settling: settling.reservation, at: now)
    guard case .pending(let settlement) = begun else { return .outdated }
    var record = LedgerRecord(amount: amount, key: settling.key, token: token)
    record.settlement = settlement.word
    record.isKeyImplied = settling.isKeyImplied
    let isAnswered = answersAtOnce
    if isAnswered { record.token = Self.answered }
    var answer = isAnswered ? accept(record, charged, at: now) : submit(record, charged)
    if answer == .refused(.mismatch), settling.isKeyImplied {
      record.key = nil
      answer = accept(record, charged, at: now)
    }
    if answer != .deferred, answer != .recorded {
      engine.unsettled(settlement.word, at: now)
      engine.abandon(amount, of: charged)
    }
    return answer
  }

  /// Under `memory`, while the disk keeps up and nothing is wrong with it.
  private var answersAtOnce: Bool {
    durability == .memory && ledger.isReady && !ledger.isHalfFull
      && ledger.lag <= Self.greatestLag
  }

  private func submit(
    _ record: LedgerRecord, _ charged: borrowing ChargedSlots
  ) -> RecordAnswer {
    switch ledger.submit(record, charging: charged.slots) {
    case .queued: .deferred
    case .refused(let refusal): .refused(.ledger(refusal))
    }
  }

  private func accept(
    _ record: LedgerRecord, _ charged: borrowing ChargedSlots, at now: Timestamp
  ) -> RecordAnswer {
    switch ledger.accept(record, charging: charged.slots, at: now) {
    case .accepted: .recorded
    case .duplicate, .inFlight: counted(.duplicate, \.duplicatesAtOnce)
    case .mismatch: counted(.refused(.mismatch), \.mismatchesAtOnce)
    case .tooOld(let horizon):
      counted(.refused(.tooOld(horizon: wallTime(of: horizon))), \.outOfRangeAtOnce)
    case .refused(let refusal): .refused(.ledger(refusal))
    }
  }

  /// Answers that the ledger does not count: its thread never saw the record.
  private func counted(
    _ answer: RecordAnswer, _ total: any WritableKeyPath<SpendTotals, Int> & Sendable
  ) -> RecordAnswer {
    spent.withLock { $0[keyPath: total] += 1 }
    return answer
  }

  /// The outcomes of costs so far.
  var totals: SpendTotals { spent.withLock { $0 } }

  func standing(at now: Timestamp) -> RecorderStanding {
    let reason: String? =
      switch ledger.state {
      case .ready where ledger.counters.waiting >= queueBound:
        "the ledger's queue is full: \(queueBound) records wait for the disk"
      case .ready: nil
      case .refusing(let reason): "the ledger cannot record: \(reason)"
      case .failed(let reason): "the ledger has failed: \(reason)"
      }
    return RecorderStanding(
      durability: durability.rawValue, notReadyReason: reason,
      idempotencyHorizon: wallTime(of: ledger.horizon(at: now)))
  }

  /// An instant of fleet time on this host's wall clock, as the clock is set now: callers' keys
  /// have their times from such clocks.
  private func wallTime(of instant: Timestamp) -> Timestamp {
    instant.moved(from: time.now(), to: time.wall())
  }

  func backUp(
    named name: String, token: LedgerToken, note: @escaping @Sendable (RPCStatus?) -> Void
  ) {
    // Waits for the disk, so not on a lane.
    DispatchQueue.global().async { [self] in
      let result: Result<LedgerBackup, LedgerError>
      do throws(LedgerError) {
        result = .success(try ledger.backup(named: name, at: time.now()))
      } catch {
        result = .failure(error)
      }
      note(tell(result, to: token))
    }
  }

  /// Answers; gives the refusal, where it was refused.
  private func tell(
    _ result: Result<LedgerBackup, LedgerError>, to token: LedgerToken
  ) -> RPCStatus? {
    var batch = ReplyBatch()
    var refusal: RPCStatus?
    let method = MethodName.backupLedger.position
    reply(to: token, in: &batch) { callID, output in
      switch result {
      case .success(let copy):
        log.notice("copied the ledger to \(copy.path), \(copy.bytes) bytes")
        requests.count(method, .ok)
        responses.appendBackupLedger(
          bytes: UInt64(copy.bytes), path: copy.path, callID: callID, to: &output)
      case .failure(let error):
        let status = Self.status(ofBackup: error)
        refusal = status
        requests.count(method, status.code)
        responses.appendStatus(status, callID: callID, to: &output)
      }
    }
    post(batch)
    return refusal
  }

  private static func status(ofBackup error: LedgerError) -> RPCStatus {
    switch error {
    case .backupName: RPCStatus(.invalidArgument, "path: \(error)")
    case .backup: RPCStatus(.failedPrecondition, "\(error)")
    default: RPCStatus(.unavailable, "\(error)")
    }
  }

  /// Puts a configuration in force and takes what that changed about windows to the ledger, while no
  /// batch is between its labels and its charges. Waits for the batch that is. `look` sees the old
  /// configuration for the last time.
  func reload(
    _ configuration: BudgetConfiguration, lookingBack look: (Timestamp) -> Void = { _ in }
  ) -> ReloadReport {
    gate.withWindows {
      let now = time.now()
      look(now)
      let report = engine.reload(configuration, at: now)
      LedgerSync.write(report, to: ledger, at: now)
      ledger.note(
        inForce(configuration.notedLimits(after: report)), isComplete: false, at: now)
      requests.forgetDenials(of: report.reusedSlots)
      trace.withLock { $0 }?.begin(engine, self, at: now)
      return report
    }
  }

  // MARK: - Replies

  func reply(
    to token: LedgerToken, in batch: inout ReplyBatch,
    _ write: (UInt64, inout [UInt8]) -> Void
  ) {
    let callID = token.low
    batch.append(to: ConnectionID(word: token.high), tag: callID) { write(callID, &$0) }
  }

  func post(_ batch: ReplyBatch) {
    if batch.isEmpty { return }
    replies.withLock { $0 }?.post(batch)
  }

  private func answer(_ batch: LedgerBatch, _ index: Int, in replies: inout ReplyBatch) {
    reply(to: batch.token(at: index), in: &replies) { callID, output in
      let refusal: RecordRefusal
      switch batch.outcome(at: index) {
      case .recorded:
        let charged = batch.slots(at: index).count
        responses.appendRecordSpend(
          RecordSpendResponse(isDuplicate: false, budgetsCharged: charged), callID: callID,
          to: &output)
        counts.count(Self.method, .ok)
        return
      case .duplicate:
        responses.appendRecordSpend(
          RecordSpendResponse(isDuplicate: true, budgetsCharged: 0), callID: callID, to: &output)
        counts.count(Self.method, .ok)
        return
      case .mismatch: refusal = .mismatch
      case .tooOld(let horizon): refusal = .tooOld(horizon: wallTime(of: horizon))
      case .notRecorded(let reason): refusal = .ledger(reason)
      case .unknown: refusal = .unknown
      }
      let status = refusal.status
      counts.count(Self.method, status.code)
      responses.appendStatus(status, callID: callID, to: &output)
    }
  }

  private static let method = MethodName.recordSpend.position
}

extension LedgerRecorder: LedgerClient {
  func now() -> Timestamp { time.now() }

  func label(_ slots: [Int32], at now: Timestamp, into windows: inout [BudgetWindow]) {
    gate.beginBatch()
    var states: [BudgetWindowState] = []
    states.reserveCapacity(slots.count)
    engine.label(slots, at: now, into: &states)
    for state in states {
      windows.append(BudgetWindow(key: state.key, start: state.start, end: state.end))
    }
  }

  func finished(_ batch: LedgerBatch) {
    var answers = ReplyBatch()
    var hasDoubt = false
    var spent = SpendTotals()
    var unkept = UnkeptRecords()
    sums.withLock { sums in
      sums.begin()
      batch.forEach { index, record, slots in
        switch record.outcome {
        case .recorded:
          if record.settlement != 0 { engine.settled(record.settlement, cost: record.amount) }
          sums.add(record.amount, to: slots)
          spent.add(
            record.amount, isBudgeted: !slots.isEmpty,
            isReserved: Settlement.frees(record.settlement))
        case .unknown: hasDoubt = true
        case .mismatch where record.isKeyImplied && recordsAgain(batch, index, record): return
        default: abandon(batch, index)
        }
        if record.token != Self.answered {
          answer(batch, index, in: &answers)
        } else {
          unkept.add(record.amount, record.outcome)
        }
      }
      engine.commit(sums, at: batch.now)
    }
    // Before a reload can come in between: it writes down what has been charged until then.
    if let trace = trace.withLock({ $0 }) { trace.settled(batch) }
    if hasDoubt { doubtful.withLock { $0 = batch } }
    gate.endBatch()
    add(spent)
    post(answers)
    unkept.tell(log)
  }

  /// A reservation was settled before at another cost, and this one is a part of the bill too: it goes
  /// to the ledger again, without the key. Meanwhile it stays pending. False: it could not be queued.
  private func recordsAgain(
    _ batch: LedgerBatch, _ index: Int, _ record: LedgerBatch.Record
  ) -> Bool {
    var again = LedgerRecord(amount: record.amount, token: record.token)
    again.settlement = record.settlement
    return ledger.submit(again, charging: Array(batch.slots(at: index))) == .queued
  }

  /// A record is definitely not on disk: what it would have settled is kept back again.
  private func abandon(_ batch: LedgerBatch, _ index: Int) {
    engine.unsettled(batch.settlement(at: index), at: batch.now)
    engine.abandon(batch.amount(at: index), of: batch.slots(at: index))
  }

  /// Counted before the replies go out: who was answered finds it in the metrics.
  private func add(_ spent: SpendTotals) {
    self.spent.withLock {
      $0.recorded += spent.recorded
      $0.unbudgeted += spent.unbudgeted
      $0.unreserved += spent.unreserved
    }
  }

  func resolved(_ batch: LedgerBatch) {
    guard let before = doubtful.withLock({ $0.take() }) else { return }
    var spent = SpendTotals()
    var unkept = UnkeptRecords()
    defer { add(spent) }
    for index in 0..<batch.count where before.outcome(at: index) == .unknown {
      let (amount, slots) = (batch.amount(at: index), batch.slots(at: index))
      if batch.outcome(at: index) == .recorded {
        engine.settled(batch.settlement(at: index), cost: amount)
        engine.commit(amount, of: slots, at: batch.now)
        spent.add(
          amount, isBudgeted: !slots.isEmpty,
          isReserved: Settlement.frees(batch.settlement(at: index)))
      } else {
        abandon(batch, index)
        if before.token(at: index) == Self.answered {
          unkept.add(amount, batch.outcome(at: index))
        }
      }
    }
    unkept.tell(log)
  }

  func adopted(_ windows: [AdoptedWindow], at now: Timestamp) {
    // A reload must not come in between: it would carry on windows that are gone.
    gate.withWindows {
      for adopted in windows {
        let window = adopted.spent.window
        engine.adopt(
          BudgetWindowState(
            key: window.key, start: window.start, end: window.end, spend: adopted.spent.spend,
            others: adopted.others),
          replacing: adopted.replaced, at: now)
      }
    }
  }

  func report(_ event: LedgerEvent) {
    switch event {
    case .state(.ready): log.notice("the ledger records")
    case .state(.refusing(let reason)):
      log.error("the ledger cannot record, filtering goes on: \(reason)")
    case .state(.failed(let reason)):
      log.critical("the ledger has failed, filtering goes on: \(reason)")
    case .reopened(let origin, let wasRecorded):
      let batch = wasRecorded.map { $0 ? "was recorded" : "was not recorded" } ?? "was not in doubt"
      log.warning(
        "the ledger was opened again as \(origin) after a failed commit; its batch \(batch)")
    case .keysForgottenEarly(let horizon):
      log.warning(
        """
        more than \(ledger.keyBound) idempotency keys (--keys-kept): those from before \
        \(horizon.iso8601) are forgotten
        """)
    case .renameJoined(let from, let to):
      log.notice("the spend of \(from) was added to that of \(to)")
    case .limitsReplaced(let budgets):
      let named = budgets.prefix(10).joined(separator: ", ")
      log.warning(
        """
        the limits that the ledger had noted of \(named)\(budgets.count > 10 ? ", ..." : "") had \
        changed on the disk: the history of these budgets tells no limits of windows before now
        """)
    case .upkeepFailed(let what, let reason):
      log.warning("the ledger could not \(what) and will try again: \(reason)")
    }
  }
}

/// Records that were answered OK when they were queued, and that the disk does not have, or may not
/// have. Their callers do not ask again: the log tells of them.
private struct UnkeptRecords {
  private struct Sum {
    var count = 0
    var amount = PicoUSD.zero

    mutating func add(_ amount: PicoUSD) {
      count += 1
      self.amount += amount
    }

    var text: String { "\(count), $\(amount.exactText) in all" }
  }

  private var lost = Sum()
  private var doubted = Sum()
  private var reason: LedgerRefusal?

  mutating func add(_ amount: PicoUSD, _ outcome: LedgerOutcome) {
    switch outcome {
    case .notRecorded(let refusal):
      lost.add(amount)
      reason = refusal
    case .unknown: doubted.add(amount)
    case .recorded, .duplicate, .mismatch, .tooOld: break
    }
  }

  func tell(_ log: Logger) {
    if let reason {
      log.error(
        """
        records that were answered OK are not recorded: \(lost.text), since \(reason); record them \
        again with the same keys
        """)
    }
    if doubted.count > 0 {
      log.error(
        """
        records that were answered OK may or may not be recorded: \(doubted.text); the ledger \
        reads its file again to see
        """)
    }
  }
}
