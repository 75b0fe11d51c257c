public import BudgetEngine
public import BudgetFleet
public import BudgetModel
import Foundation
import Locks
public import Logging
public import SpendLedger

/// A member of a fleet with its ledger and engine, without a server around them.
public final class MemberFixture {
  /// The ledger's directory.
  public let directory: String
  /// Fleet time.
  public let time: ManualTimeSource
  /// The member's options.
  public let options: FleetOptions
  /// The lines that were logged.
  public let lines = TestLog.Lines()
  /// Writes to `lines`.
  public let log: Logger
  /// This life's ledger.
  public private(set) var ledger: SpendLedger
  /// This life's engine.
  public private(set) var engine: BudgetEngine
  /// This life's member.
  public private(set) var member: FleetMember
  /// The disk of every life.
  public let disk = ManualDisk()
  /// The time that has passed by the member's clock; the ticks of a started member see it too.
  private let uptime = ManualUptime()

  /// When time begins.
  public static let start = Timestamp(unixMilliseconds: 1_768_435_200_000)

  /// Opens a new ledger and puts `budgets` in force.
  public init(
    _ budgets: [BudgetDefinition], _ change: (inout FleetOptions) -> Void = { _ in }
  ) throws {
    directory =
      FileManager.default.temporaryDirectory.path + "/fleet-member-\(UUID().uuidString)"
    time = ManualTimeSource(Self.start)
    var options = FleetOptions()
    change(&options)
    self.options = options
    log = Logger(label: "test") { [lines] _ in TestLog(lines) }
    (ledger, engine) = try Self.open(directory, budgets, time, disk)
    var surroundings = FleetSurroundings(engine: engine, ledger: ledger, time: time, log: log)
    surroundings.uptime = { [uptime] in uptime.now }
    member = FleetMember(surroundings, options: options)
  }

  deinit {
    member.stop()
    ledger.close()
    // The system empties the folder of temporary files at some time.
    try? FileManager.default.removeItem(atPath: directory)
  }

  /// Ends this life of the node and begins the next.
  public func restart(_ budgets: [BudgetDefinition]) throws {
    member.stop()
    ledger.close()
    (ledger, engine) = try Self.open(directory, budgets, time, disk)
    var surroundings = FleetSurroundings(engine: engine, ledger: ledger, time: time, log: log)
    surroundings.uptime = { [uptime] in uptime.now }
    member = FleetMember(surroundings, options: options)
  }

  /// Lets time pass by all clocks of the node.
  public func advance(_ duration: Duration) {
    uptime.advance(duration)
    time.advance(milliseconds: duration.wholeMilliseconds)
  }

  /// As if the last pass lay further back than the node counts as in touch.
  public func passIsOverdue() {
    uptime.advance(options.stalenessInForce + .seconds(1))
    member.look()
  }

  private static func open(
    _ directory: String, _ budgets: [BudgetDefinition], _ time: ManualTimeSource,
    _ disk: ManualDisk
  ) throws -> (SpendLedger, BudgetEngine) {
    var settings = LedgerSettings(directory: directory)
    settings.readClock = {
      ClockReading(wall: time.now(), boottimeMilliseconds: 0, bootID: "")
    }
    let ledger = try SpendLedger.open(settings)
    let own = ledger.opening.windows.map {
      BudgetWindowState(
        key: $0.window.key, start: $0.window.start, end: $0.window.end, spend: $0.spend)
    }
    let engine = BudgetEngine(
      restoring: FleetRestoring.windows(ledger.opening, besides: own, at: time.now()))
    ledger.start(ChargingClient(engine, time, disk: disk))
    let report = engine.reload(
      BudgetConfiguration(budgets: budgets, deployments: [], directory: .empty), at: time.now())
    ledger.noteOpened(
      report.opened.map { BudgetWindow(key: $0.key, start: $0.start, end: $0.end) })
    ledger.settle()
    return (ledger, engine)
  }

  /// Records and waits until it is committed and charged. Whether it was taken.
  public func record(_ pico: Int128, provider: String) -> Bool {
    submit(pico, provider: provider) && ledger.settle()
  }

  /// Records without waiting. Whether it was taken.
  public func submit(_ pico: Int128, provider: String) -> Bool {
    var charged = ChargedSlots()
    charged.begin()
    let catalog = engine.catalog
    charged.add(
      NameBytes.with(provider) {
        catalog.candidate(CandidateNames(id: .absent, model: .absent, provider: $0))
      }, in: catalog)
    let amount = PicoUSD(pico: pico)
    engine.addPending(amount, to: charged)
    let record = LedgerRecord(amount: amount, key: nil, token: LedgerToken(high: 0, low: 0))
    return ledger.submit(record, charging: charged.slots) == .queued
  }

  /// How a provider's budget stands; nil: it has none.
  public func report(_ provider: String) -> BudgetReport? {
    NameBytes.with(provider) { engine.catalog.budget(.provider, $0) }
      .map { engine.report(on: $0, at: time.now()) }
  }

  /// How much a provider still gives out at most.
  public func room(_ provider: String, upTo bound: Int128) -> Int128 {
    let catalog = engine.catalog
    var question = FilterQuestion()
    var decision = FilterDecision()
    for estimate in stride(from: bound, through: 1, by: -1) {
      question.begin()
      question.add(
        NameBytes.with(provider) {
          catalog.candidate(CandidateNames(id: .absent, model: .absent, provider: $0))
        })
      question.estimate = PicoUSD(pico: estimate)
      engine.filter(question, in: catalog, at: time.now(), into: &decision)
      if !decision.isExhausted { return estimate }
    }
    return 0
  }
}

/// A provider's budget, its limit in pico-dollars.
public func providerBudget(
  _ name: String, _ limit: Int128?, _ window: String = "1h"
) throws -> BudgetDefinition {
  BudgetDefinition(
    key: BudgetKey(scope: .provider, name: name, windowText: window),
    windowLength: try WindowLength(text: window), limit: limit.map { PicoUSD(pico: $0) })
}
