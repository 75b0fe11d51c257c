import BudgetEngine
import BudgetModel
import BudgetWire
import Foundation
import Locks
import Logging
import Reconciliation
import SpendLedger
import Testing

@testable import BudgetServer

/// Keeps what is logged.
struct TestLog: LogHandler {
  final class Lines: Sendable {
    let lines = Locked<[String]>([])

    func count(_ part: String) -> Int {
      lines.withLock { lines in lines.count { $0.contains(part) } }
    }
  }

  let lines: Lines
  var metadata: Logger.Metadata = [:]
  var logLevel = Logger.Level.info

  init(_ lines: Lines) { self.lines = lines }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let line = "\(event.level) \(event.message)"
    lines.lines.withLock { $0.append(line) }
  }
}

/// A member of a fleet with its ledger and engine, without a server around them.
final class FleetMemberFixture {
  let directory: String
  let time: ManualTimeSource
  let options: FleetOptions
  let lines = TestLog.Lines()
  let log: Logger
  private(set) var ledger: SpendLedger
  private(set) var engine: BudgetEngine
  private(set) var recorder: LedgerRecorder
  private(set) var member: FleetMember

  static let start = Timestamp(unixMilliseconds: 1_768_435_200_000)

  init(_ budgets: [BudgetDefinition], _ change: (inout FleetOptions) -> Void = { _ in }) throws {
    directory =
      FileManager.default.temporaryDirectory.path + "/fleet-member-\(UUID().uuidString)"
    time = ManualTimeSource(Self.start)
    var options = FleetOptions()
    change(&options)
    self.options = options
    log = Logger(label: "test") { [lines] _ in TestLog(lines) }
    (ledger, engine, recorder, member) = try Self.open(
      directory, budgets, time: time, options: options, log: log)
  }

  deinit {
    member.stop()
    ledger.close()
    try? FileManager.default.removeItem(atPath: directory)
  }

  /// Ends this life of the node and begins the next.
  func restart(_ budgets: [BudgetDefinition]) throws {
    member.stop()
    ledger.close()
    (ledger, engine, recorder, member) = try Self.open(
      directory, budgets, time: time, options: options, log: log)
  }

  private static func open(
    _ directory: String, _ budgets: [BudgetDefinition], time: ManualTimeSource,
    options: FleetOptions, log: Logger
  ) throws -> (SpendLedger, BudgetEngine, LedgerRecorder, FleetMember) {
    var settings = LedgerSettings(directory: directory)
    settings.readClock = {
      ClockReading(wall: time.now(), boottimeMilliseconds: 0, bootID: "")
    }
    let ledger = try SpendLedger.open(settings)
    let engine = BudgetEngine(
      restoring: FleetRestoring.windows(ledger.opening, at: time.now()))
    let recorder = LedgerRecorder(
      engine: engine, ledger: ledger, queueBound: 1_000, time: time, durability: .memory,
      bounds: .standard, requests: RequestCounters(), log: log)
    ledger.start(recorder)
    let report = engine.reload(
      BudgetConfiguration(budgets: budgets, deployments: [], directory: .empty), at: time.now())
    LedgerSync.write(report, to: ledger, at: time.now())
    ledger.settle()
    let member = FleetMember(
      engine: engine, ledger: ledger, time: time, options: options, log: log)
    return (ledger, engine, recorder, member)
  }

  /// Records and waits until it is committed and charged.
  func record(_ pico: Int128, provider: String) {
    var charged = ChargedSlots()
    charged.begin()
    let catalog = engine.catalog
    charged.add(
      NameBytes.with(provider) {
        catalog.candidate(id: .absent, model: .absent, provider: $0)
      })
    let answer = recorder.record(
      PicoUSD(pico: pico), key: nil, to: charged, token: LedgerToken(high: 0, low: 0),
      at: time.now())
    #expect(answer == .recorded)
    #expect(ledger.settle())
  }

  func report(_ provider: String) throws -> BudgetReport {
    let budget = try #require(
      NameBytes.with(provider) { engine.catalog.budget(.provider, $0) })
    return engine.report(on: budget, at: time.now())
  }

  /// How much a provider still gives out at most.
  func room(_ provider: String, upTo bound: Int128) -> Int128 {
    let catalog = engine.catalog
    var question = FilterQuestion()
    var decision = FilterDecision()
    for estimate in stride(from: bound, through: 1, by: -1) {
      question.begin()
      question.add(
        NameBytes.with(provider) {
          catalog.candidate(id: .absent, model: .absent, provider: $0)
        })
      question.estimate = PicoUSD(pico: estimate)
      engine.filter(question, in: catalog, at: time.now(), into: &decision)
      if !decision.isExhausted { return estimate }
    }
    return 0
  }
}

/// A provider's budget, its limit in pico-dollars.
func providerBudget(
  _ name: String, _ limit: Int128?, _ window: String = "1h"
) throws -> BudgetDefinition {
  BudgetDefinition(
    key: BudgetKey(scope: .provider, name: name, windowText: window),
    windowLength: try WindowLength(text: window), limit: limit.map { PicoUSD(pico: $0) })
}
