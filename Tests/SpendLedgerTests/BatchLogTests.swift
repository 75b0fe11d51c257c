import BudgetModel
import Testing

@testable import SpendLedger

/// Which rows of batches may go, and which have to. No disk.
@Suite struct BatchLogTests {
  private func log(bound: Int, keys: Int, last: Int64 = 10) -> BatchLog {
    var settings = LedgerSettings(directory: "/nowhere")
    settings.keyBound = bound
    settings.keyRetention = .seconds(1)
    var log = BatchLog(settings)
    log.begin(last: last, first: 1, keyCount: keys)
    return log
  }

  private func measure(_ log: BatchLog, adding added: Int, foldedThrough: Int64 = 10)
    -> Forgetting.Measure?
  {
    log.measure(
      adding: added, foldedThrough: foldedThrough, jumped: 100,
      at: (Timestamp(unixMilliseconds: 5_000), 7))
  }

  @Test func asManyKeysGoAsThereAreTooMany() throws {
    var log = log(bound: 640, keys: 635)
    let due = try #require(measure(log, adding: 10))
    #expect(due.due == 5 && due.wanted == 15, "the target lies a 64th below the bound")
    #expect(due.keptSince == 5_000 - 1_000 - 100, "a jump keeps keys for longer")
    #expect(due.lastRow == 10 && due.deadline == 4_000_007)
    #expect(due.ended == 276)
    #expect(measure(log, adding: 0)?.ended == .max)
    log.committed(11)
    #expect(measure(log, adding: 10, foldedThrough: 11)?.lastRow == 11)
    #expect(measure(log, adding: 10, foldedThrough: 12)?.lastRow == 11, "not the one being made")
    #expect(measure(log, adding: 10, foldedThrough: 0) == nil, "nothing is folded")
  }

  @Test func nearlyAlwaysNothingIsLookedAt() {
    var log = log(bound: 640, keys: 10)
    #expect(measure(log, adding: 1) != nil, "the age of the oldest row is not known")
    var looked = Forgetting(from: 1)
    looked.next = Timestamp(unixMilliseconds: 3_900)
    log.looked(looked)
    #expect(measure(log, adding: 1) == nil)
    looked.next = Timestamp(unixMilliseconds: 3_899)
    log.looked(looked)
    #expect(measure(log, adding: 1) != nil)
  }

  @Test func noRowGoesBeforeItIsFolded() {
    var log = log(bound: 640, keys: 640)
    #expect(!log.mustFold(adding: 1), "all are folded")
    log.committed(11)
    #expect(log.mustFold(adding: 1) && !log.mustFold(adding: 0))
    log.folded(through: 11)
    #expect(!log.mustFold(adding: 1))
  }

  @Test func forgottenRowsTakeTheirKeysOffTheCount() {
    var log = log(bound: 640, keys: 640)
    var chosen = Forgetting(from: 1)
    chosen.rows = 1..<4
    chosen.keys.begin()
    for key in 0..<5 { chosen.keys.add(UInt128(key)) }
    chosen.next = Timestamp(unixMilliseconds: 4_500)
    log.forgot(chosen)
    #expect(log.first == 4 && log.keyCount == 635)
    #expect(log.firstTime == Timestamp(unixMilliseconds: 4_500))
    #expect(log.isForgettingDue, "there are more than the target")
    log.added(keys: 2)
    #expect(log.keyCount == 637)
  }
}
