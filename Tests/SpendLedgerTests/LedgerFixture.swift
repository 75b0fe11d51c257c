import BudgetModel
import Foundation
import Testing

@testable import SpendLedger

/// A ledger in a directory of its own that goes with it.
final class LedgerFixture {
  let directory: String
  var settings: LedgerSettings
  let client = TestClient()
  let probe: TestProbe
  private(set) var ledger: SpendLedger
  private var tokens: UInt64 = 0

  init(_ change: (inout LedgerSettings) -> Void = { _ in }) throws {
    directory = Self.temporaryPath()
    settings = LedgerSettings(directory: directory)
    probe = TestProbe(client)
    settings.probe = probe
    settings.readClock = { [client] in
      ClockReading(wall: client.now(), boottimeMilliseconds: 0, bootID: "")
    }
    // A fault is meant for a batch: no fold of the ledger's own may come before it.
    settings.foldInterval = .seconds(3_600)
    change(&settings)
    ledger = try SpendLedger.open(settings)
    ledger.start(client)
  }

  deinit {
    ledger.close()
    try? FileManager.default.removeItem(atPath: directory)
  }

  static func temporaryPath() -> String {
    FileManager.default.temporaryDirectory.path + "/spend-ledger-\(UUID().uuidString)"
  }

  /// Closes the ledger and opens it again.
  func restart() throws {
    ledger.close()
    ledger = try SpendLedger.open(settings)
    ledger.start(client)
  }

  /// The text of a UUIDv7 made at an instant.
  static func uuid(_ milliseconds: Int64, _ tail: Int = 1) -> String {
    let hex = String(milliseconds, radix: 16)
    let time = String(repeating: "0", count: 12 - hex.count) + hex
    return "\(time.prefix(8))-\(time.suffix(4))-7000-8000-\(String(100_000_000_000 + tail))"
  }

  static func key(_ text: String, cost: PicoUSD, model: String = "m") -> RecordKey {
    var maker = RecordKeyMaker()
    NameBytes.with(model) { maker.begin(RecordFields(model: $0, cost: cost)) }
    return NameBytes.with(text) { maker.key(KeyIdentity(of: $0)) }
  }

  /// Queues a record; its token.
  @discardableResult
  func submit(
    _ amount: PicoUSD, key: String? = nil, slots: [Int32] = [0], model: String = "m"
  ) -> UInt64 {
    tokens += 1
    let record = LedgerRecord(
      amount: amount, key: key.map { Self.key($0, cost: amount, model: model) },
      token: LedgerToken(high: 0, low: tokens))
    let submission = ledger.submit(record, charging: slots)
    if submission != .queued { Issue.record("\(submission), \(ledger.state)") }
    return tokens
  }

  /// Queues a record whose transaction meets a fault, and no other: a ledger that folds at every
  /// chance has transactions of its own, which are over once the record's batch is at the gate.
  func submit(_ amount: PicoUSD, key: String, failing step: StorageStep, code: Int32) {
    client.closeGate()
    submit(amount, key: key)
    client.atGate.wait()
    probe.fail(step, code: code)
    client.openGate()
  }

  /// Records and waits for the outcome.
  func record(
    _ amount: PicoUSD, key: String? = nil, slots: [Int32] = [0], model: String = "m"
  ) -> LedgerOutcome? {
    let token = submit(amount, key: key, slots: slots, model: model)
    guard client.wait() else { return nil }
    return client.outcome(token)
  }

  /// Changes the database while it is closed. SQL is a literal for the ledger; a test picks one of
  /// its own.
  func change(_ sql: String) throws {
    try Self.change(directory, sql)
  }

  /// The state that a fresh opening of a copy of the files finds, as after a kill at this instant.
  func afterKill() throws -> LedgerOpening {
    let copy = try copyOfAnInstant()
    defer { try? FileManager.default.removeItem(atPath: copy) }
    var settings = LedgerSettings(directory: copy)
    settings.readClock = self.settings.readClock
    let ledger = try SpendLedger.open(settings)
    defer { ledger.close() }
    return ledger.opening
  }

  /// A copy of the directory as it was at one instant. The ledger's thread goes on with upkeep: a
  /// log from before a checkpoint beside a database from after it is no state of any instant.
  func copyOfAnInstant() throws -> String {
    // A log may not be there, after a clean end.
    func written() -> [FileStatus.Written?] {
      ["ledger.sqlite", "ledger.sqlite-wal"].map { name in
        SystemCalls.status(of: directory + "/" + name).map { .init(size: $0.size, at: $0.written) }
      }
    }
    while true {
      let before = written()
      let copy = Self.temporaryPath()
      try FileManager.default.copyItem(atPath: directory, toPath: copy)
      if written() == before { return copy }
      try FileManager.default.removeItem(atPath: copy)
    }
  }
}

extension LedgerOpening {
  func spend(of name: String) -> PicoUSD? {
    windows.first { $0.window.key.name == name }?.spend
  }
}

extension FileStatus {
  /// How a file was written last.
  struct Written: Equatable {
    var size: Int64
    var at: Int64
  }
}
