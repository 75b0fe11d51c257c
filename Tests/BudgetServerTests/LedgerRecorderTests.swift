import BudgetEngine
import BudgetModel
import BudgetWire
import Dispatch
import Locks
import NodeFixture
import Testing

@testable import BudgetServer
@testable import SpendLedger

/// Pending spend ends with its record, whatever becomes of that; a budget would deny for ever else.
@Suite struct LedgerRecorderTests {
  /// A full disk must not use up what it never recorded.
  @Test(arguments: [Durability.commit, .memory], [StorageStep.write, .commit])
  func aRefusedBatchGivesItsPendingSpendBack(
    _ durability: Durability, _ step: StorageStep
  ) throws {
    let fixture = try RecorderFixture(durability)
    fixture.disk.fail(step, code: FaultyDisk.full, times: .max)
    for _ in 0..<3 {
      let answer = fixture.record(100)
      #expect(answer == .deferred || answer == .recorded)
      fixture.settle()
      #expect(fixture.room == 100, "nothing was recorded, so nothing counts")
    }
    #expect(fixture.spend == 0)
    fixture.disk.heal()
    #expect(fixture.settle())
    _ = fixture.record(100)
    fixture.settle()
    #expect(fixture.room == 0)
    #expect(fixture.spend == 100)
  }

  /// The disk reports an error for the commit; only the file tells whether it happened.
  @Test(arguments: [(StorageStep.commit, Int128(0)), (.committed, 40)])
  func aBatchInDoubtIsPendingUntilTheFileTells(
    _ step: StorageStep, _ recorded: Int128
  ) throws {
    let fixture = try RecorderFixture()
    let seen = Locked<[Int128]>([])
    let (engine, now) = (fixture.engine, fixture.time.now())
    fixture.disk.watch { step in
      guard step == .open else { return }
      seen.withLock { $0.append(RecorderFixture.room(in: engine, at: now)) }
    }
    fixture.disk.fail(step, code: FaultyDisk.fsyncFailed)
    #expect(fixture.record(40) == .deferred)
    #expect(fixture.settle())
    #expect(seen.withLock { $0 } == [60], "in doubt it counts")
    #expect(fixture.room == 100 - recorded)
    #expect(fixture.spend == recorded)
    #expect(fixture.recorder.totals.recorded.pico == recorded)
    #expect(try fixture.replies() == [1: .unknown])
  }

  /// A dynamic budget that was lost after it was looked up: nothing reaches the ledger, nor whoever
  /// has the slot next, and the names are looked up anew.
  @Test func aBudgetThatWasLostIsLookedUpAnew() throws {
    let fixture = try RecorderFixture()
    let key = BudgetKey(scope: .tag, name: "user:*", windowText: "day")
    let pattern = BudgetPattern(
      key: key, rule: try WindowRule(text: "day"),
      policy: BudgetPolicy(limit: PicoUSD(pico: 100)))
    _ = fixture.recorder.reload(
      BudgetConfiguration(
        budgets: [], patterns: [pattern], deployments: [], directory: .empty))
    let (engine, now) = (fixture.engine, fixture.time.now())
    func charged(_ tag: String) -> ChargedSlots {
      var charged = ChargedSlots()
      NameBytes.with(tag) {
        charged.add(ScopedName(.tag, $0), in: engine.catalog, of: engine, at: now)
      }
      return charged
    }
    func record(_ charged: ChargedSlots) -> RecordAnswer {
      fixture.recorder.record(
        PicoUSD(pico: 7), key: nil, to: charged, token: fixture.nextToken(), at: now)
    }
    let late = charged("user:a")
    // Its charge is given up by then.
    let later = Timestamp(unixMilliseconds: now.unixMilliseconds + 1_000)
    for _ in 0..<64 { engine.sweepDynamicBudgets(atMost: 1_000, at: later) }
    let next = charged("user:b")
    #expect(late.slots == next.slots, "the slot has another owner")
    #expect(record(late) == .outdated)
    #expect(record(next) == .deferred)
    fixture.settle()
    #expect(fixture.recorder.totals.recorded.pico == 7)
    let reading = DynamicReading(of: engine, in: engine.catalog, at: now)
    #expect(NameBytes.with("user:b") { reading.budgets(.tag, $0) }.map(\.report.spend.pico) == [7])
    #expect(NameBytes.with("user:a") { reading.budgets(.tag, $0) }.isEmpty)
  }

  @Test func eachOutcomeEndsWhatWasPendingAndHasItsReply() throws {
    let outcomes: [(LedgerOutcome, StatusCode)] = [
      (.recorded, .ok), (.duplicate, .ok), (.mismatch, .alreadyExists),
      (.tooOld(horizon: ServiceFixture.start), .outOfRange), (.duplicate, .ok),
      (.notRecorded(.diskFull), .unavailable), (.recorded, .ok),
    ]
    let fixture = try RecorderFixture()
    let batch = fixture.batch(outcomes.map(\.0))
    #expect(fixture.room == 30)
    fixture.recorder.finished(batch)
    #expect(fixture.room == 80)
    #expect(fixture.spend == 20)
    #expect(fixture.recorder.totals.recorded.pico == 20)
    let replies = try fixture.replies()
    #expect(replies.count == outcomes.count)
    for (index, outcome) in outcomes.enumerated() {
      #expect(replies[UInt64(index + 1)] == outcome.1, "\(outcome.0)")
    }
  }

  /// A retry of a record of the same batch shares its doubt, and adds nothing in the end.
  @Test(arguments: [true, false])
  func whatTheFileTellsEndsTheDoubtAndNothingElse(_ isRecorded: Bool) throws {
    let fixture = try RecorderFixture()
    let batch = fixture.batch([.unknown, .mismatch, .unknown, .unknown])
    fixture.recorder.finished(batch)
    #expect(fixture.room == 70, "the clash is out, the doubt is in")
    fixture.recorder.resolved(
      batch.resolved(asRecorded: isRecorded, followers: [2], refusal: .diskFull))
    #expect(fixture.room == (isRecorded ? 80 : 100))
    #expect(fixture.spend == (isRecorded ? 20 : 0))
    #expect(fixture.recorder.totals.recorded.pico == (isRecorded ? 20 : 0))
    #expect(try fixture.replies().count == 4, "each was answered once, at its failed commit")
  }

  @Test(arguments: [Durability.commit, .memory])
  func whatTheQueueRefusesDoesNotStayPending(_ durability: Durability) throws {
    let fixture = try RecorderFixture(durability) { $0.queueRecordBound = 0 }
    for _ in 0..<3 { #expect(fixture.record(50) == .refused(.ledger(.queueFull))) }
    #expect(fixture.room == 100)
  }

  @Test func whatIsRefusedAtOnceDoesNotStayPendingAndIsCounted() throws {
    let fixture = try RecorderFixture(.memory)
    let now = ServiceFixture.start.unixMilliseconds
    func uuid(_ milliseconds: Int64) -> String {
      let hex = String(milliseconds, radix: 16)
      let time = String(repeating: "0", count: 12 - hex.count) + hex
      return "\(time.prefix(8))-\(time.suffix(4))-7000-8000-000000000001"
    }
    let key = RecorderFixture.key("k", cost: 10)
    #expect(fixture.record(10, key: key) == .recorded)
    #expect(fixture.record(10, key: key) == .duplicate)
    #expect(fixture.record(20, key: RecorderFixture.key("k", cost: 20)) == .refused(.mismatch))
    let old = RecorderFixture.key(uuid(now - 48 * 3_600_000), cost: 10)
    guard case .refused(.tooOld) = fixture.record(10, key: old) else {
      Issue.record("a key of the day before yesterday was taken")
      return
    }
    #expect(fixture.room == 90)
    #expect(fixture.settle())
    #expect(fixture.room == 90)
    #expect(fixture.spend == 10)
    #expect(fixture.recorder.totals.duplicatesAtOnce == 1)
    #expect(fixture.recorder.totals.mismatchesAtOnce == 1)
    #expect(fixture.recorder.totals.outOfRangeAtOnce == 1)
    #expect(try fixture.replies().isEmpty, "each was answered at once")
  }

  /// Under `memory` callers wait for the disk as soon as something is wrong with it.
  @Test func aLedgerThatRefusesIsWaitedFor() throws {
    let fixture = try RecorderFixture(.memory)
    #expect(fixture.record(1) == .recorded)
    fixture.disk.fail(.write, code: FaultyDisk.full, times: .max)
    fixture.settle()
    #expect(fixture.record(1) == .deferred)
    fixture.settle()
    #expect(try fixture.replies() == [2: .unavailable])
    fixture.disk.heal()
    #expect(fixture.settle())
    #expect(fixture.record(1) == .recorded)
  }

  @Test func aQueueThatFillsIsWaitedForAndSaysSoWhenItIsFull() throws {
    let fixture = try RecorderFixture(.memory) { $0.queueRecordBound = 4 }
    fixture.disk.hold(.write)
    #expect(fixture.record(1) == .recorded)
    fixture.disk.isHeld.wait()
    #expect(fixture.record(1) == .recorded)
    #expect(fixture.record(1) == .deferred, "half of the queue waits")
    #expect(fixture.recorder.standing(at: fixture.time.now()).notReadyReason == nil)
    #expect(fixture.record(1) == .deferred)
    let reason = fixture.recorder.standing(at: fixture.time.now()).notReadyReason
    #expect(reason == "the ledger's queue is full: 4 records wait for the disk")
    fixture.disk.release()
    #expect(fixture.settle())
    #expect(fixture.spend == 4)
    #expect(fixture.recorder.standing(at: fixture.time.now()).notReadyReason == nil)
    #expect(try fixture.replies() == [3: .ok, 4: .ok])
  }

  /// Under `memory` callers have their OK by then: nobody but the log tells of it.
  @Test(arguments: [
    (StorageStep.write, FaultyDisk.full, 1, 0), (.commit, FaultyDisk.full, 1, 0),
    (.commit, FaultyDisk.fsyncFailed, 1, 1), (.committed, FaultyDisk.fsyncFailed, 0, 1),
  ])
  func whatWasAnsweredAndIsNotKeptIsTold(
    _ step: StorageStep, _ code: Int32, _ lost: Int, _ doubted: Int
  ) throws {
    for (durability, isTold) in [(Durability.memory, 1), (.commit, 0)] {
      let fixture = try RecorderFixture(durability)
      fixture.disk.fail(step, code: code)
      #expect(fixture.record(40) == (durability == .memory ? .recorded : .deferred))
      fixture.settle()
      let kinds = [("are not recorded", lost), ("may or may not be recorded", doubted)]
      for (words, count) in kinds {
        let line = "error records that were answered OK \(words): 1, $0.00000000004 in all"
        #expect(fixture.lines.count(line) == count * isTold, "\(fixture.lines.all)")
      }
    }
  }

  /// Of a batch those alone that were answered at once, each once.
  @Test func theOthersOfABatchAreNotTold() throws {
    let fixture = try RecorderFixture(.memory)
    let outcomes: [LedgerOutcome] = [
      .notRecorded(.diskFull), .recorded, .unknown, .duplicate, .notRecorded(.diskFull), .unknown,
    ]
    let batch = fixture.batch(outcomes, answered: [0, 1, 2, 3])
    fixture.recorder.finished(batch)
    #expect(fixture.lines.count("answered OK are not recorded: 1, $0.00000000001 in all") == 1)
    #expect(fixture.lines.count("OK may or may not be recorded: 1, $0.00000000001 in all") == 1)
    fixture.recorder.resolved(
      batch.resolved(asRecorded: false, followers: [], refusal: .diskFull))
    #expect(fixture.lines.count("answered OK are not recorded: 1, $0.00000000001 in all") == 2)
    #expect(fixture.lines.count("answered OK") == 3, "\(fixture.lines.all)")
  }
}
