import BudgetEngine
import BudgetModel
import Foundation
import Locks
import Logging
import SpendLedger
import Synchronization

/// Writes what comes by to a file that `budgetctl simulate` replays.
///
/// Lanes and the ledger's thread hand over what they saw and never wait: what there is no room for is
/// lost and counted. A thread of its own puts it in order and writes it.
final class TrafficTrace: Sendable {
  private let queue: TraceQueue
  private let options: TraceOptions
  private let log: Logger
  private let version: String
  private let ended = DispatchSemaphore(value: 0)
  private let writtenCount = Atomic<UInt64>(0)

  /// How long an ending server waits for what is not written yet.
  private static let timeToEnd = DispatchTimeInterval.seconds(2)

  init(_ options: TraceOptions, version: String, log: Logger) {
    self.options = options
    self.version = version
    self.log = log
    queue = TraceQueue(bound: options.queueBytes)
  }

  /// How many steps were written.
  var written: UInt64 { writtenCount.load(ordering: .relaxed) }
  /// How many steps are missing.
  var lost: UInt64 { queue.lost }

  /// Opens the file and begins to write, with where the budgets stand. Precondition: nothing comes by
  /// yet.
  ///
  /// Throws where the file cannot be written.
  func start(
    of engine: BudgetEngine, _ recorder: LedgerRecorder, _ time: any TimeSource
  ) throws(ServerError) {
    let file = try TraceFile(options)
    let box = Locked(TraceWriter(file: file, version: version, log: log))
    let thread = Thread { [self] in
      box.withLock { writer in
        while true {
          let batch = queue.take()
          let result = writer.write(batch)
          writtenCount.add(result.written, ordering: .relaxed)
          if result.lost > 0 { queue.countLost(result.lost) }
          if batch.isLast { break }
          // Windows are held still meanwhile, on this thread, which may wait for a commit.
          if result.wantsState {
            recorder.gate.withWindows { begin(engine, recorder, at: time.now()) }
          }
        }
      }
      ended.signal()
    }
    thread.name = "trace"
    begin(engine, recorder, at: time.now())
    thread.start()
  }

  /// If more names have budgets by patterns, these begin at nothing: a trace is bounded.
  private static let namesWindows = 10_000

  /// A scenario begins with where the budgets stand. Precondition: the windows' gate is held, or
  /// nothing comes by yet.
  func begin(_ engine: BudgetEngine, _ recorder: LedgerRecorder, at now: Timestamp) {
    let catalog = engine.catalog
    // Under `memory` a record is accepted for good while it waits for the disk.
    var windows = engine.windows(
      of: catalog, countsPending: recorder.acceptsForGood, at: now)
    windows += DynamicReading(of: engine, in: catalog, at: now)
      .windows(countsPending: recorder.acceptsForGood, atMost: Self.namesWindows)
    queue.add(.begin(TraceState(catalog: catalog, windows: windows, at: now)), always: true)
  }

  func filtered(_ filter: TracedFilter, at now: Timestamp) {
    queue.add(.filter(filter, at: now))
  }

  /// A reservation was given back.
  func released(_ id: String, at now: Timestamp) { queue.add(.release(id, at: now)) }

  /// A reservation is to last so much longer from now.
  func extended(_ id: String, milliseconds: Int64, at now: Timestamp) {
    queue.add(.extend(id, milliseconds: milliseconds, at: now))
  }

  /// A cost was taken in; `settled` says what became of it.
  func submitted(_ record: TracedRecord, token: LedgerToken, at now: Timestamp) {
    queue.add(.record(record, token: token, at: now))
  }

  func settled(_ token: LedgerToken, recordedAt: Timestamp?) {
    queue.add(.settled(token, recordedAt: recordedAt))
  }

  /// The ledger is done with a batch.
  func settled(_ batch: LedgerBatch) {
    // Their outcome, when the ledger's file tells it later, is not written down.
    let unknown = (0..<batch.count).count { batch.outcome(at: $0) == .unknown }
    if unknown > 0 { queue.countLost(UInt64(unknown)) }
    queue.add(
      (0..<batch.count).map { index in
        .settled(
          batch.token(at: index),
          recordedAt: batch.outcome(at: index) == .recorded ? batch.now : nil)
      })
  }

  /// Writes what is there and ends.
  func close() {
    queue.end()
    _ = ended.wait(timeout: .now() + Self.timeToEnd)
  }
}

/// The trace's thread's own: order, file, and whether it goes on.
struct TraceWriter {
  private let file: TraceFile
  private var order: TraceOrder
  private let log: Logger
  /// Whether a state was asked for, with which the next file begins.
  private var isStateAsked = false
  /// Whether nothing is written until a scenario begins.
  private var isPaused = false
  private var givenUp: UInt64 = 0

  /// The outcome of a batch.
  struct Outcome {
    var written: UInt64 = 0
    var lost: UInt64 = 0
    /// Whether another file is wanted, which begins with where the budgets stand.
    var wantsState = false
  }

  init(file: TraceFile, version: String, log: Logger) {
    self.file = file
    self.log = log
    order = TraceOrder(version: version)
  }

  mutating func write(_ batch: TraceQueue.Batch) -> Outcome {
    var outcome = Outcome()
    for event in batch.events { order.add(event) }
    order.note(lost: batch.lost)
    if batch.hasLostOutcomes || batch.isLast { order.giveUp() }
    var bytes: [UInt8] = []
    var steps: UInt64 = 0
    for output in order.takeReady() {
      switch output {
      case .line(let line):
        if line.isEmpty { continue }
        if isPaused || !file.hasRoom(for: bytes.count + line.count) {
          outcome.lost += 1
          continue
        }
        bytes += line
        steps += 1
      case .header(let header):
        flush(&bytes, &steps, &outcome)
        begin(header, &bytes)
      }
    }
    flush(&bytes, &steps, &outcome)
    outcome.lost += order.givenUp - givenUp
    givenUp = order.givenUp
    if file.isFull, !isStateAsked, !isPaused {
      isStateAsked = true
      outcome.wantsState = true
    }
    return outcome
  }

  /// A scenario begins: in another file where that is due, or where the last write failed.
  private mutating func begin(_ header: [UInt8], _ bytes: inout [UInt8]) {
    do throws(TraceFileError) {
      if isStateAsked || isPaused || !file.hasRoom(for: header.count) { try file.rotate() }
      isStateAsked = false
      isPaused = !file.hasRoom(for: 2 * header.count)
      if isPaused {
        log.warning(
          "the trace has no room for a configuration of \(header.count) bytes: raise --trace-bytes")
      } else {
        bytes += header
      }
    } catch {
      pause(error)
    }
  }

  private mutating func flush(
    _ bytes: inout [UInt8], _ steps: inout UInt64, _ outcome: inout Outcome
  ) {
    defer {
      bytes.removeAll(keepingCapacity: true)
      steps = 0
    }
    if bytes.isEmpty { return }
    do throws(TraceFileError) {
      try file.write(bytes)
      outcome.written += steps
    } catch {
      outcome.lost += steps
      pause(error)
    }
  }

  private mutating func pause(_ error: TraceFileError) {
    isPaused = true
    log.error("the trace cannot be written, traffic goes on: \(error.reason); SIGHUP tries again")
  }
}
