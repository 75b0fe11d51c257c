import BudgetModel
import Foundation
import Locks
import Testing

@testable import SpendLedger

/// Keys are forgotten as fast as they are added: there are never more than the bound.
@Suite struct ForgettingTests {
  private let amount = PicoUSD(pico: 7)

  private func opened(bound: Int, _ fixture: LedgerFixture) throws -> SpendLedger {
    fixture.ledger.close()
    fixture.settings.keyBound = bound
    let ledger = try SpendLedger.open(fixture.settings)
    ledger.start(fixture.client)
    return ledger
  }

  /// The fixture's ledger folds by itself only once an hour: what must go has to be folded first.
  @Test func theBoundHoldsAtEveryRecord() throws {
    let fixture = try LedgerFixture { $0.keyBound = 10 }
    for index in 0..<100 {
      #expect(fixture.record(amount, key: "k\(index)") == .recorded)
      // The commit that adds a key takes the oldest along.
      #expect(fixture.ledger.counters.keys <= 10)
      #expect(fixture.record(amount, key: "k\(index)") == .duplicate)
    }
    #expect(fixture.record(amount, key: "k95") == .duplicate)
    #expect(fixture.record(amount, key: "k80") == .recorded, "it was forgotten")
    #expect(try fixture.afterKill().spend(of: "p0") == PicoUSD(pico: 7 * 101))
    #expect(try fixture.afterKill().keyCount <= 10)
  }

  @Test func theLogIsToldOnceAMinuteAtMost() throws {
    let fixture = try LedgerFixture { $0.keyBound = 10 }
    for index in 0..<200 { fixture.submit(amount, key: "k\(index)") }
    #expect(fixture.client.wait(200))
    #expect(fixture.ledger.counters.keys <= 10, "also where a commit could take all at once")
    fixture.ledger.close()
    let told = fixture.client.heard.withLock { heard in
      heard.events.count { if case .keysForgottenEarly = $0 { true } else { false } }
    }
    #expect(told == 1)
  }

  @Test func aStartWithMoreKeysThanTheBoundKeepsTheNewest() throws {
    let fixture = try LedgerFixture()
    for index in 0..<50 {
      fixture.client.advance(milliseconds: 60_000)
      #expect(fixture.record(amount, key: "k\(index)") == .recorded)
    }
    let ledger = try opened(bound: 10, fixture)
    #expect(ledger.opening.keyCount == 10)
    #expect(ledger.counters.keys == 10)
    #expect(ledger.opening.spend(of: "p0") == PicoUSD(pico: 7 * 50))
    let now = fixture.client.now()
    #expect(ledger.horizon(at: now).unixMilliseconds > now.unixMilliseconds - 10 * 60_000)
    func outcome(_ key: String) -> LedgerOutcome? {
      let token = UInt64(key.dropFirst()) ?? 0
      let record = LedgerRecord(
        amount: amount, key: LedgerFixture.key(key, cost: amount),
        token: LedgerToken(high: 0, low: 1_000 + token))
      #expect(ledger.submit(record, charging: [0]) == .queued)
      #expect(fixture.client.wait())
      return fixture.client.outcome(1_000 + token)
    }
    #expect(outcome("k49") == .duplicate)
    #expect(outcome("k41") == .duplicate)
    #expect(outcome("k30") == .recorded, "it was forgotten")
    ledger.close()
    // Forgotten keys are gone from the disk too.
    let later = try opened(bound: 1_000, fixture)
    #expect(later.opening.keyCount <= 10)
    #expect(later.opening.spend(of: "p0") == PicoUSD(pico: 7 * 51))
    later.close()
  }

  /// Batches that were not folded are charged at the start, also those whose keys are forgotten.
  @Test func aStartAfterAKillChargesWhatItForgets() throws {
    let fixture = try LedgerFixture()
    for index in 0..<50 { #expect(fixture.record(amount, key: "k\(index)") == .recorded) }
    fixture.settings.keyBound = 5
    let copy = LedgerFixture.temporaryPath()
    defer { try? FileManager.default.removeItem(atPath: copy) }
    try FileManager.default.copyItem(atPath: fixture.directory, toPath: copy)
    var settings = LedgerSettings(directory: copy)
    settings.readClock = fixture.settings.readClock
    settings.keyBound = 5
    let ledger = try SpendLedger.open(settings)
    #expect(ledger.opening.keyCount == 5)
    #expect(ledger.opening.spend(of: "p0") == PicoUSD(pico: 7 * 50))
    ledger.close()
  }

  /// The commit in doubt also forgets: the file tells of both.
  @Test(arguments: [StorageStep.commit, .committed])
  func aDoubtfulCommitForgetsWithItsBatchOrNotAtAll(_ step: StorageStep) throws {
    let fixture = try LedgerFixture { $0.keyBound = 10 }
    for index in 0..<20 { #expect(fixture.record(amount, key: "k\(index)") == .recorded) }
    fixture.probe.fail(step, code: 1_034)
    let token = fixture.submit(amount, key: "doubt")
    #expect(fixture.client.wait(2))
    #expect(fixture.client.outcome(token) == .unknown)
    let isThere = step == .committed
    #expect(
      fixture.client.resolution(token)
        == (isThere ? .recorded : .notRecorded(.storage(code: 1_034))))
    #expect(fixture.ledger.counters.keys <= 10)
    #expect(fixture.record(amount, key: "doubt") == (isThere ? .duplicate : .recorded))
    #expect(fixture.record(amount, key: "k19") == .duplicate)
    #expect(fixture.record(amount, key: "k5") == .recorded)
    #expect(fixture.ledger.state == .ready)
  }

  /// A full disk refuses batch and forgetting together, and a later doubt does not count on it.
  @Test func aRefusedCommitForgetsNothing() throws {
    let fixture = try LedgerFixture { $0.keyBound = 10 }
    for index in 0..<20 { #expect(fixture.record(amount, key: "k\(index)") == .recorded) }
    fixture.probe.fail(.commit, code: 13)
    #expect(fixture.record(amount, key: "refused") == .notRecorded(.diskFull))
    #expect(fixture.record(amount, key: "k11") == .duplicate)
    #expect(fixture.record(amount, key: "after") == .recorded)
    fixture.probe.fail(.committed, code: 1_034)
    fixture.submit(amount, key: "doubt")
    #expect(fixture.client.wait(2))
    #expect(fixture.record(amount, key: "doubt") == .duplicate)
  }

  /// A batch's row of version 1, written out here once more.
  private func row(_ id: Int64, at time: Int64, keys: Int) -> [UInt8] {
    func number(_ value: Int64) -> [UInt8] {
      value < 0x80 ? [UInt8(value)] : [UInt8(value & 0x7F | 0x80)] + number(value >> 7)
    }
    let head: [UInt8] = [1] + number(2 * id) + number(2) + number(2 * time)
    let windows = number(1) + number(300) + number(300) + number(300)
    let records = (0..<keys).flatMap { key in
      let digest = [UInt8](repeating: 1, count: 14) + [UInt8(id), UInt8(key)]
      return [1] + digest + [UInt8](repeating: 2, count: 16) + number(500_000) + number(1) + [0]
    }
    return head + windows + number(Int64(keys)) + records
  }

  /// `times[i]` is when batch i + 1 was committed.
  private func chosen(
    times: [Int64], keys: Int, by measure: Forgetting.Measure
  ) throws -> Forgetting {
    var chosen = Forgetting(from: 1)
    try chosen.choose(by: measure) { id in
      let index = Int(id) - 1
      return times.indices.contains(index) ? row(id, at: times[index], keys: keys) : nil
    }
    return chosen
  }

  /// The quick reader of keys reads what the other one does, and refuses what it refuses.
  @Test func keysAreReadAsTheWholeBatchIs() throws {
    let bytes = row(3, at: 1_000, keys: 5)
    let contents = try BatchReader.contents(of: bytes)
    var keys = BatchKeys()
    let head = try BatchReader.head(of: bytes, keys: &keys)
    #expect(head.id == contents.id && head.origin == contents.origin && head.time == contents.time)
    #expect(keys.digests == contents.records.compactMap(\.digest))
    #expect(keys.fingerprints == contents.records.map(\.fingerprint))
    for count in bytes.indices {
      #expect(throws: BatchReader.Damage.self) {
        try BatchReader.head(of: Array(bytes.prefix(count)), keys: &keys)
      }
    }
    #expect(throws: BatchReader.Damage.self) {
      try BatchReader.head(of: bytes + [0], keys: &keys)
    }
  }

  @Test func theSliceEndsWithItsTimeUnlessMoreIsDue() throws {
    let times = [Int64](repeating: 1_000, count: 20)
    var measure = Forgetting.Measure(
      due: 0, wanted: 100, keptSince: 0, lastRow: 15, deadline: .min)
    #expect(try chosen(times: times, keys: 4, by: measure).isEmpty, "its time was over")
    measure.due = 9
    let due = try chosen(times: times, keys: 4, by: measure)
    #expect(due.rows == 1..<4 && due.keys.count == 12, "what is due goes all the same")
    #expect(due.early == Timestamp(unixMilliseconds: 1_000))
    measure.deadline = .max
    #expect(try chosen(times: times, keys: 4, by: measure).rows == 1..<16, "no row past the fold")
    measure.wanted = 5
    #expect(try chosen(times: times, keys: 4, by: measure).rows == 1..<4)
  }

  @Test func oldKeysGoAndTheirAgeIsNoEarlyForgetting() throws {
    let measure = Forgetting.Measure(
      keptSince: 3, ended: 5, lastRow: 9, deadline: .max)
    let chosen = try chosen(times: [1, 2, 2, 2, 3, 4], keys: 2, by: measure)
    #expect(chosen.rows == 1..<4, "so many at once")
    #expect(chosen.early == nil)
    #expect(chosen.next == Timestamp(unixMilliseconds: 2))
    var all = measure
    all.ended = .max
    let whole = try self.chosen(times: [1, 2, 2, 2, 3, 4], keys: 2, by: all)
    #expect(whole.rows == 1..<5 && whole.next == Timestamp(unixMilliseconds: 3))
  }
}
