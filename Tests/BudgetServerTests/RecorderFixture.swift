import BudgetEngine
import BudgetModel
import BudgetWire
import Dispatch
import Foundation
import Locks
import Logging
import NodeFixture
import Testing

@testable import BudgetServer
@testable import SpendLedger
@testable import TCPTransport

/// A disk whose steps fail, or wait, when they are told to.
final class FaultyDisk: StorageProbe {
  private struct State {
    var fault: (step: StorageStep, code: Int32, times: Int)?
    var heldStep: StorageStep?
    var watch: (@Sendable (StorageStep) -> Void)?
  }

  static let full: Int32 = 13
  static let fsyncFailed: Int32 = 1_034

  private let state = Locked(State())
  private let bell = DispatchSemaphore(value: 0)
  /// Rung when the ledger has come to the step that is held.
  let isHeld = DispatchSemaphore(value: 0)

  func fail(_ step: StorageStep, code: Int32, times: Int = 1) {
    state.withLock { $0.fault = (step, code, times) }
  }

  func heal() { state.withLock { $0.fault = nil } }

  /// The next time that the ledger comes to the step, it waits there for `release`.
  func hold(_ step: StorageStep) { state.withLock { $0.heldStep = step } }

  func release() { bell.signal() }

  func watch(_ body: @escaping @Sendable (StorageStep) -> Void) {
    state.withLock { $0.watch = body }
  }

  func fault(at step: StorageStep) -> Int32? {
    let (watch, waits) = state.withLock { state in
      let waits = state.heldStep == step
      if waits { state.heldStep = nil }
      return (state.watch, waits)
    }
    watch?(step)
    if waits {
      isHeld.signal()
      bell.wait()
    }
    return state.withLock { state in
      guard let fault = state.fault, fault.step == step, fault.times > 0 else { return nil }
      state.fault?.times -= 1
      return fault.code
    }
  }
}

/// A recorder with its ledger and its engine, without a server around them: one provider, `p`, with
/// a limit of 100 pico-dollars.
final class RecorderFixture {
  static let limit: Int128 = 100

  let directory: String
  let time: any TimeSource
  let disk = FaultyDisk()
  let lines = TestLog.Lines()
  let engine: BudgetEngine
  let ledger: SpendLedger
  let recorder: LedgerRecorder
  let connection = ConnectionID(lane: LaneIndex(0), slot: 0, generation: 1)
  private let inbox: LaneInbox
  private var calls: UInt64 = 0

  init(
    _ durability: Durability = .commit,
    time: any TimeSource = ManualTimeSource(ServiceFixture.start),
    _ change: (inout LedgerSettings) -> Void = { _ in }
  ) throws {
    self.time = time
    directory = FileManager.default.temporaryDirectory.path + "/recorder-\(UUID().uuidString)"
    var settings = LedgerSettings(directory: directory)
    settings.probe = disk
    // A fault is meant for a batch: no fold of the ledger's own may come before it.
    settings.foldInterval = .seconds(3_600)
    let now = time.now()
    settings.readClock = { ClockReading(wall: now, boottimeMilliseconds: 0, bootID: "") }
    change(&settings)
    ledger = try SpendLedger.open(settings)
    engine = BudgetEngine(
      configuration: BudgetConfiguration(
        budgets: [try providerBudget("p", Self.limit)], deployments: [], directory: .empty),
      at: now)
    recorder = LedgerRecorder(
      engine: engine, ledger: ledger, queueBound: settings.queueRecordBound, time: time,
      durability: durability, bounds: .standard, requests: AllRequestCounts(),
      log: Logger(label: "test") { [lines] _ in TestLog(lines) })
    inbox = try LaneInbox()
    recorder.connect(to: ReplyMailbox(inboxes: [inbox]))
    ledger.start(recorder)
    ledger.settle()
  }

  deinit {
    ledger.close()
    try? FileManager.default.removeItem(atPath: directory)
  }

  var charged: ChargedSlots {
    var charged = ChargedSlots()
    charged.add(
      NameBytes.with("p") {
        engine.catalog.candidate(CandidateNames(id: .absent, model: .absent, provider: $0))
      }, in: engine.catalog)
    return charged
  }

  var slot: Int32 { charged.slots[0] }

  func nextToken() -> LedgerToken {
    calls += 1
    return LedgerToken(high: connection.word, low: calls)
  }

  func record(_ pico: Int128, key: RecordKey? = nil) -> RecordAnswer {
    recorder.record(
      PicoUSD(pico: pico), key: key, to: charged, token: nextToken(), at: time.now())
  }

  static func key(_ text: String, cost: Int128) -> RecordKey {
    var maker = RecordKeyMaker()
    maker.begin(RecordFields(cost: PicoUSD(pico: cost)))
    return NameBytes.with(text) { maker.key(KeyIdentity(of: $0)) }
  }

  /// Waits until the ledger is done with all that it was handed.
  @discardableResult
  func settle() -> Bool { ledger.settle() }

  /// How much may still be spent, as filtering sees it.
  var room: Int128 { Self.room(in: engine, at: time.now()) }

  static func room(in engine: BudgetEngine, at now: Timestamp) -> Int128 {
    let catalog = engine.catalog
    var question = FilterQuestion()
    var decision = FilterDecision()
    question.add(
      NameBytes.with("p") {
        catalog.candidate(CandidateNames(id: .absent, model: .absent, provider: $0))
      })
    // More than there ever is: the denial says what was compared.
    question.estimate = PicoUSD(pico: limit + 1)
    engine.filter(question, in: catalog, at: now, into: &decision)
    return limit - (decision.denials.first?.spend.pico ?? -1)
  }

  /// The committed spend of the open window.
  var spend: Int128 {
    NameBytes.with("p") { engine.catalog.budget(.provider, $0) }
      .map { engine.report(on: $0, at: time.now()).spend.pico } ?? -1
  }

  /// The replies that were posted since the last look: the call, and the status where it is one.
  func replies() throws -> [UInt64: StatusCode] {
    try messages().mapValues { $0.status?.code ?? .ok }
  }

  /// The same, whole.
  func messages() throws -> [UInt64: ResponseMessage] {
    var replies: [UInt64: ResponseMessage] = [:]
    for batch in inbox.take().replies {
      var start = 0
      for entry in batch.entries {
        let message = try ServiceFixture.message(in: Array(batch.bytes[start..<entry.end]))
        start = entry.end
        #expect(entry.connection == connection && entry.tag == message.callID)
        #expect(replies[entry.tag] == nil, "one reply to each call")
        replies[entry.tag] = message
      }
    }
    return replies
  }

  /// A batch as the ledger tells it: each record charges `p` 10, and is held already. Those at the
  /// indices `answered` were answered when they were queued.
  func batch(_ outcomes: [LedgerOutcome], answered: Set<Int> = []) -> LedgerBatch {
    let charged = charged
    let amount = PicoUSD(pico: 10)
    let records = outcomes.indices.map { index in
      engine.addPending(amount, to: charged)
      return QueuedRecord(
        LedgerRecord(
          amount: amount,
          token: answered.contains(index) ? LedgerRecorder.answered : nextToken()),
        firstSlot: index, slotCount: 1, isClaimed: false)
    }
    return LedgerBatch(
      now: time.now(), records: records, slots: outcomes.map { _ in slot },
      places: outcomes.indices.map(Int32.init), outcomes: outcomes)
  }
}
