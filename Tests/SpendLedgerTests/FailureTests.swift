import BudgetModel
import Foundation
import Locks
import Synchronization
import Testing

@testable import SpendLedger

@Suite struct FailureTests {
  private let amount = PicoUSD(pico: 42)
  private static let fsyncFailed: Int32 = 1_034
  private static let full: Int32 = 13

  @Test(arguments: [StorageStep.write, .commit])
  func aFullDiskRefusesDefinitelyAndRecovers(step: StorageStep) throws {
    let fixture = try LedgerFixture()
    #expect(fixture.record(amount, key: "a") == .recorded)
    fixture.probe.fail(step, code: Self.full, times: .max)
    #expect(fixture.record(amount, key: "b") == .notRecorded(.diskFull))
    guard case .refusing = fixture.ledger.state else {
      Issue.record("the state was \(fixture.ledger.state)")
      return
    }
    fixture.probe.heal()
    #expect(fixture.record(amount, key: "b") == .recorded)
    #expect(fixture.ledger.state == .ready)
    #expect(try fixture.afterKill().spend(of: "p0") == amount + amount)
  }

  @Test func anErrorBeforeTheCommitIsDefinite() throws {
    let fixture = try LedgerFixture()
    fixture.probe.fail(.write, code: 778)
    #expect(fixture.record(amount, key: "a") == .notRecorded(.storage(code: 778)))
    #expect(fixture.record(amount, key: "a") == .recorded)
    #expect(fixture.ledger.counters.reopenings == 0)
  }

  /// The COMMIT happened and reported an error: the file has the row.
  @Test func aDoubtfulCommitThatIsThereIsResolvedAsRecorded() throws {
    let fixture = try LedgerFixture()
    #expect(fixture.record(amount, key: "a") == .recorded)
    fixture.probe.fail(.committed, code: Self.fsyncFailed)
    let token = fixture.submit(amount, key: "b")
    #expect(fixture.client.wait(2))
    #expect(fixture.client.outcome(token) == .unknown)
    #expect(fixture.client.resolution(token) == .recorded)
    #expect(fixture.record(amount, key: "b") == .duplicate)
    #expect(fixture.record(amount, key: "c") == .recorded)
    #expect(try fixture.afterKill().spend(of: "p0")?.pico == 3 * amount.pico)
    let events = fixture.client.heard.withLock { $0.events }
    #expect(
      events.contains {
        if case .reopened(let origin, true) = $0 {
          return origin != fixture.ledger.opening.origin
        }
        return false
      })
  }

  /// The COMMIT did not happen: the file does not have the row.
  @Test func aDoubtfulCommitThatIsNotThereIsResolvedAsNotRecorded() throws {
    let fixture = try LedgerFixture()
    #expect(fixture.record(amount, key: "a") == .recorded)
    fixture.probe.fail(.commit, code: Self.fsyncFailed)
    let token = fixture.submit(amount, key: "b")
    #expect(fixture.client.wait(2))
    #expect(fixture.client.outcome(token) == .unknown)
    #expect(
      fixture.client.resolution(token) == .notRecorded(.storage(code: Self.fsyncFailed)))
    #expect(fixture.record(amount, key: "b") == .recorded)
    #expect(try fixture.afterKill().spend(of: "p0") == amount + amount)
    #expect(fixture.ledger.counters.unknown == 1)
  }

  @Test func aSecondFailureWithinAMinuteFailsTheLedger() throws {
    let fixture = try LedgerFixture()
    fixture.probe.fail(.commit, code: Self.fsyncFailed)
    let first = fixture.submit(amount, key: "a")
    #expect(fixture.client.wait(2))
    #expect(fixture.client.resolution(first) != nil)
    fixture.probe.fail(.commit, code: Self.fsyncFailed)
    #expect(fixture.record(amount, key: "b") == .unknown)
    let record = LedgerRecord(amount: amount, token: LedgerToken(high: 0, low: 1))
    while fixture.ledger.submit(record, charging: [0]) == .queued {}
    #expect(fixture.ledger.submit(record, charging: [0]) == .refused(.failed))
    guard case .failed(let reason) = fixture.ledger.state else {
      Issue.record("the state was \(fixture.ledger.state)")
      return
    }
    #expect(reason.contains("1034"))
    #expect(throws: LedgerError.closed) {
      try fixture.ledger.backup(named: "never", at: fixture.client.now())
    }
  }

  @Test func aFileThatCannotBeReadAgainFailsTheLedger() throws {
    let fixture = try LedgerFixture()
    fixture.probe.fail(.open, code: 10)
    fixture.probe.fail(.commit, code: Self.fsyncFailed)
    #expect(fixture.record(amount, key: "a") == .unknown)
    fixture.ledger.close()
    guard case .failed = fixture.ledger.state else {
      Issue.record("the state was \(fixture.ledger.state)")
      return
    }
    #expect(fixture.client.heard.withLock { $0.resolved.isEmpty })
  }

  @Test func aCheckpointThatFailsLosesNothing() throws {
    let fixture = try LedgerFixture { $0.checkpointBytes = 1 }
    fixture.probe.fail(.checkpoint, code: 4_874)
    for index in 0..<5 { #expect(fixture.record(amount, key: "k\(index)") == .recorded) }
    #expect(try fixture.afterKill().spend(of: "p0")?.pico == 5 * amount.pico)
    fixture.ledger.close()
    #expect(fixture.ledger.counters.reopenings == 1)
    #expect(fixture.ledger.counters.checkpoints > 0)
  }
}
