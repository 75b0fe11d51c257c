import BudgetModel
import Testing

@testable import SpendLedger

/// Keys from callers whose clocks are a little ahead, on a node that forgets early.
@Suite struct KeysAheadTests {
  private let amount = PicoUSD(pico: 7)

  private func fixture() throws -> LedgerFixture {
    try LedgerFixture {
      $0.keyBound = 10
      $0.foldInterval = .zero
    }
  }

  private func recordOthers(_ fixture: LedgerFixture, _ count: Int, _ name: String) {
    for index in 0..<count {
      fixture.client.advance(milliseconds: 10)
      #expect(fixture.record(amount, key: "\(name)\(index)") == .recorded)
    }
  }

  /// Whatever else the bound forgets: a retry finds its key, or the horizon.
  @Test(arguments: [11, 1_000, 240_000, 300_000] as [Int64])
  func aRetryAfterTheBoundCountsOnce(_ ahead: Int64) throws {
    let fixture = try fixture()
    let key = LedgerFixture.uuid(fixture.client.now().unixMilliseconds + ahead)
    #expect(fixture.record(amount, key: key) == .recorded)
    var refusals = 0
    for round in 0..<40 {
      recordOthers(fixture, 12, "\(round) ")
      fixture.client.advance(milliseconds: ahead / 20)
      switch fixture.record(amount, key: key) {
      case .duplicate: #expect(refusals == 0, "refused, and then known again")
      case .tooOld: refusals += 1
      case let other: Issue.record("round \(round): \(String(describing: other))")
      }
      // A key that is made now is never refused.
      let made = fixture.client.now().unixMilliseconds
      #expect(fixture.record(amount, key: LedgerFixture.uuid(made, 100 + round)) == .recorded)
    }
    #expect(refusals > 0, "it is kept for ever")
    #expect(fixture.ledger.counters.keys <= 10)
    #expect(try fixture.afterKill().spend(of: "p0") == PicoUSD(pico: 7 * 521))
  }

  /// The one key stays, not the others of its batch, and the bound holds beside it.
  @Test func onlyTheKeyAheadStays() throws {
    let fixture = try fixture()
    let now = fixture.client.now().unixMilliseconds
    #expect(fixture.record(amount, key: LedgerFixture.uuid(now + 240_000)) == .recorded)
    recordOthers(fixture, 50, "k")
    #expect(fixture.ledger.counters.keys <= 11)
    #expect(fixture.record(amount, key: "k5") == .recorded, "it was forgotten")
    #expect(fixture.record(amount + amount, key: LedgerFixture.uuid(now + 240_000)) == .mismatch)
  }

  /// The commit in doubt has a key that is ahead, or forgets one.
  @Test(arguments: [StorageStep.commit, .committed], [false, true])
  func aDoubtfulCommitLosesNone(_ step: StorageStep, forgets: Bool) throws {
    let fixture = try fixture()
    let key = LedgerFixture.uuid(fixture.client.now().unixMilliseconds + 240_000)
    recordOthers(fixture, 20, "a")
    if forgets {
      #expect(fixture.record(amount, key: key) == .recorded)
      recordOthers(fixture, 9, "b")
    }
    fixture.submit(amount, key: forgets ? "doubt" : key, failing: step, code: 1_034)
    #expect(fixture.client.wait(2))
    if !forgets {
      let isThere = step == .committed
      #expect(fixture.record(amount, key: key) == (isThere ? .duplicate : .recorded))
    }
    recordOthers(fixture, 30, "c")
    #expect(fixture.record(amount, key: key) == .duplicate)
    #expect(fixture.ledger.state == .ready)
  }

  @Test func whatTheHorizonPassesIsLetGo() {
    var keys = KeysAhead(keyBound: 10)
    for index in 0..<200_000 {
      // Half a second ahead, a thousand a second: two or three thousand at a time.
      let now = Int64(index)
      keys.note(UInt128(index), madeAt: now + 500, batch: now, at: (now, 0))
      #expect(keys.notedCount <= 8_192)
    }
    #expect(keys.hold(through: 199_000, horizon: 199_400, jumped: 0).count == 201)
    #expect(keys.heldCount == 201)
    #expect(keys.release(before: 199_500, jumped: 0, at: 0).count == 100)
    #expect(keys.release(before: 199_500, jumped: 0, at: 0).isEmpty)
    #expect(keys.release(before: 300_000, jumped: 100_400, at: 0).count == 100)
    #expect(keys.release(before: 300_000, jumped: 0, at: 0).count == 1)
    #expect(!keys.isReleaseDue(at: 5_000))
  }

  @Test func asManyAsTheBoundAreNoted() {
    var keys = KeysAhead(keyBound: 10)
    for index in 0..<70_000 {
      keys.note(UInt128(index), madeAt: 300_000, batch: Int64(index), at: (0, 0))
    }
    #expect(keys.notedCount == 65_536)
    #expect(keys.hold(through: 70_000, horizon: 0, jumped: 0).count == 65_536)
    keys.note(1, madeAt: 300_000, batch: 70_001, at: (0, 0))
    #expect(keys.notedCount == 0 && keys.heldCount == 65_536)
  }

  @Test func onlyTimesAheadAreNoted() {
    for (madeAt, isNoted) in [
      (QueuedRecord.noTime, false), (0, false), (1_010, false), (1_011, true), (301_000, true),
      (301_001, false), (.max, false),
    ] {
      #expect(KeysAhead.isNoted(madeAt: madeAt, at: 1_000) == isNoted, "\(madeAt)")
    }
  }
}
