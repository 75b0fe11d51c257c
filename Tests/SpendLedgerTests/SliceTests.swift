import BudgetModel
import Foundation
import Locks
import SeededRandom
import Synchronization
import Testing

@testable import SpendLedger

/// Work that would hold commits up is done in slices between them; a kill at any slice loses and
/// doubles nothing.
@Suite struct SliceTests {
  private let amount = PicoUSD(pico: 7)

  /// Budgets in several blocks, each with a window that is open and on disk.
  private func fixture(
    budgets: Int = 1_100, _ change: (inout LedgerSettings) -> Void = { _ in }
  ) throws -> LedgerFixture {
    let fixture = try LedgerFixture {
      $0.foldedRows = 1
      change(&$0)
    }
    Self.name(budgets, in: fixture)
    #expect(fixture.record(.zero, slots: (0..<Int32(budgets)).map { $0 }) == .recorded)
    return fixture
  }

  private static func name(_ budgets: Int, in fixture: LedgerFixture) {
    fixture.client.heard.withLock { heard in
      heard.keys = (0..<budgets).map {
        BudgetKey(scope: .tag, name: "t\($0)", windowText: "1d")
      }
    }
  }

  // MARK: - Folding

  /// However many budgets were charged, a commit folds one block of them.
  @Test func aCommitFoldsABlockOfBudgetsAndNotAll() throws {
    let fixture = try LedgerFixture {
      $0.foldedRows = 1
      $0.foldInterval = .zero
    }
    Self.name(1_100, in: fixture)
    let (directory, copy) = (fixture.directory, LedgerFixture.temporaryPath())
    defer { try? FileManager.default.removeItem(atPath: copy) }
    fixture.probe.once(at: .committed) {
      try? FileManager.default.copyItem(atPath: directory, toPath: copy)
    }
    #expect(fixture.record(amount, slots: (0..<1_100).map { $0 }) == .recorded)
    do {
      let store = try LedgerStore(path: DataDirectory.databasePath(in: copy), probe: nil)
      let rows = try LedgerStore.integer("SELECT count(*) FROM window_spend", store.connection)
      #expect(rows == 255, "budgets 1 to 255 are the first block")
      let reading = try LedgerReading.read(store, .init(keyBound: .max)) { _ in }
      #expect(reading.meta.foldedThrough == 0 && reading.folds == [0: 1])
      #expect(reading.unfolded.count == 1_100 - 255)
    }
    var settings = LedgerSettings(directory: copy)
    settings.readClock = fixture.settings.readClock
    let ledger = try SpendLedger.open(settings)
    defer { ledger.close() }
    #expect(ledger.opening.windows.count == 1_100)
    #expect(ledger.opening.windows.allSatisfy { $0.spend == amount })
  }

  /// Two batches of one take: where the first one's fold holds all there is, the second one's
  /// blocks wait for their turns from its own number on.
  @Test func aBlockWaitsFromTheBatchThatChargedIt() throws {
    let fixture = try fixture {
      $0.batchBound = 1
      $0.foldInterval = .zero
    }
    try fixture.restart()
    let ledger = fixture.ledger
    for round in 0..<8 {
      // While a batch is committed both come, so that the next take has them.
      fixture.probe.once(at: .commit) {
        for slots in [[0], [300, 600, 900]] as [[Int32]] {
          let record = LedgerRecord(
            amount: PicoUSD(pico: 7), key: nil, token: LedgerToken(high: 0, low: .max))
          #expect(ledger.submit(record, charging: slots) == .queued)
        }
      }
      #expect(fixture.record(.zero, key: "key-\(round)", slots: []) == .recorded)
      #expect(fixture.client.wait(2))
      for _ in 0..<4 { #expect(fixture.record(amount, slots: [0]) == .recorded) }
      let opening = try fixture.afterKill()
      #expect(opening.spend(of: "t0")?.pico == Int128(7 * 5 * (round + 1)))
      for name in ["t300", "t600", "t900"] {
        #expect(opening.spend(of: name)?.pico == Int128(7 * (round + 1)))
      }
    }
  }

  /// A kill after each commit, while some blocks are folded and others are not; now and then a
  /// commit fails, a budget is joined with another, or the ledger starts again.
  @Test(arguments: 0..<3)
  func theFileEqualsTheModelAtEveryKill(round: Int) throws {
    var random = SeededRandom(seed: UInt64.random(in: 0...UInt64.max))
    let fixture = try fixture {
      $0.foldInterval = .zero
      $0.failureWindow = .zero
      $0.checkpointBytes = 1 << 16
    }
    var sums: [String: Int128] = [:]
    for step in 0..<15 {
      let fault = Int.random(in: 0..<12, using: &random)
      if fault == 0 { fixture.probe.fail(.commit, code: 13) }
      if fault == 1 { fixture.probe.fail(.committed, code: 1_034) }
      if fault == 2 { fixture.probe.fail(.commit, code: 1_034) }
      let slots = Set((0..<4).map { _ in Int32.random(in: 0..<1_100, using: &random) }).sorted()
      let token = fixture.submit(PicoUSD(pico: Int128(step + 1)), slots: slots)
      try #require(fixture.client.wait(), "\(fixture.ledger.state), seed \(random.seed)")
      if fixture.client.outcome(token) == .unknown {
        try #require(fixture.client.wait(), "\(fixture.ledger.state), seed \(random.seed)")
      }
      fixture.probe.heal()
      if (fixture.client.resolution(token) ?? fixture.client.outcome(token)) == .recorded {
        for slot in slots {
          sums[fixture.budget(Int(slot)).name, default: 0] += Int128(step + 1)
        }
      }
      if step % 5 == 3 { Self.join(fixture, &sums, &random) }
      let found = try fixture.amountsAfterKill().reduce(into: [:]) { $0[$1.key.budget] = $1.value }
      #expect(found == sums, "seed \(random.seed), step \(step)")
      if Int.random(in: 0..<15, using: &random) == 0 { try fixture.restart() }
    }
  }

  /// A budget takes the name of another, and its spend with it.
  private static func join(
    _ fixture: LedgerFixture, _ sums: inout [String: Int128], _ random: inout SeededRandom
  ) {
    let (from, to) = (
      Int.random(in: 0..<1_100, using: &random), Int.random(in: 0..<1_100, using: &random)
    )
    let (old, new) = (fixture.budget(from), fixture.budget(to))
    guard old != new else { return }
    fixture.ledger.rename(from: old, to: new)
    fixture.client.heard.withLock { heard in
      for slot in heard.keys.indices where heard.keys[slot] == old { heard.keys[slot] = new }
    }
    if let moved = sums.removeValue(forKey: old.name) { sums[new.name, default: 0] += moved }
    // Done, whatever failed before: commands are performed in their order.
    fixture.ledger.settle()
  }

  /// A mark that says more than the batches do is damage, and not a start with less.
  @Test func aMarkThatHasChangedIsFound() throws {
    let fixture = try fixture { $0.foldInterval = .zero }
    for _ in 0..<3 { #expect(fixture.record(amount, slots: [0]) == .recorded) }
    for change in ["UPDATE fold SET through = through + 1", "UPDATE fold SET block = block + 77"] {
      let copy = LedgerFixture.temporaryPath()
      defer { try? FileManager.default.removeItem(atPath: copy) }
      try FileManager.default.copyItem(atPath: fixture.directory, toPath: copy)
      try LedgerFixture.change(copy, change)
      #expect {
        try SpendLedger.open(LedgerSettings(directory: copy)).close()
      } throws: {
        "\($0)".contains("the fold of block")
      }
    }
  }

  // MARK: - Copies

  /// Records come with every slice of the copy: each is committed before the next slice, and the
  /// copy is of the commit before its last one.
  @Test func recordsAreCommittedBetweenTheSlicesOfACopy() throws {
    let fixture = try fixture {
      $0.sliceDuration = .zero
      $0.foldInterval = .zero
      $0.checkpointBytes = 1 << 16
      $0.truncateBytes = 1 << 18
    }
    for index in 0..<10_000 { fixture.submit(amount, key: "before-\(index)") }
    #expect(fixture.client.wait(10_000))
    let (ledger, sent) = (fixture.ledger, Sent())
    fixture.probe.always(at: .copying) {
      let record = LedgerRecord(
        amount: PicoUSD(pico: 7),
        key: LedgerFixture.key("during-\(sent.next())", cost: PicoUSD(pico: 7)),
        token: LedgerToken(high: 0, low: .max))
      #expect(ledger.submit(record, charging: [0]) == .queued)
    }
    let made = try ledger.backup(named: "copy", at: fixture.client.now())
    let during = sent.number
    #expect(fixture.client.wait(during))
    #expect(during > 5, "\(made.bytes) bytes in \(during) slices")
    #expect(Int(ledger.counters.backupSlices) == during)
    let opening = try Self.opening(ofCopy: made.path, fixture.settings)
    #expect(opening.keyCount == 10_000 + during - 1, "all but the last slice's record")
    #expect(opening.spend(of: "t0") == PicoUSD(pico: 7 * Int128(10_000 + during - 1)))
    #expect(opening.windows.count == 1_100)
    #expect(try fixture.afterKill().keyCount == 10_000 + during)
  }

  private static func opening(ofCopy path: String, _ settings: LedgerSettings) throws
    -> LedgerOpening
  {
    let directory = LedgerFixture.temporaryPath()
    defer { try? FileManager.default.removeItem(atPath: directory) }
    try FileManager.default.createDirectory(
      atPath: directory, withIntermediateDirectories: false)
    try FileManager.default.copyItem(atPath: path, toPath: directory + "/ledger.sqlite")
    var copy = LedgerSettings(directory: directory)
    copy.readClock = settings.readClock
    let ledger = try SpendLedger.open(copy)
    defer { ledger.close() }
    return ledger.opening
  }

  /// A transaction that is refused in the middle of a copy is not in it. From then on nothing is
  /// recorded, so the rest is copied at once: the copy ends, however often it has to begin anew.
  @Test(arguments: [StorageStep.write, .commit])
  func whatIsRefusedMeanwhileIsNotInTheCopy(_ step: StorageStep) throws {
    let fixture = try fixture { $0.sliceDuration = .zero }
    for index in 0..<6_000 { fixture.submit(amount, key: "before-\(index)") }
    #expect(fixture.client.wait(6_000))
    let (ledger, probe, sent) = (fixture.ledger, fixture.probe, Sent())
    probe.always(at: .copying) {
      let number = sent.next()
      if number == 2 { probe.fail(step, code: 13) }
      let record = LedgerRecord(
        amount: PicoUSD(pico: 7), key: nil, token: LedgerToken(high: 0, low: UInt64(number) << 32))
      #expect(ledger.submit(record, charging: [1]) == .queued)
    }
    let made = try ledger.backup(named: "copy", at: fixture.client.now())
    let count = sent.number
    #expect(fixture.client.wait(count) && count > 2)
    let outcomes = (1...count).map { fixture.client.outcome(UInt64($0) << 32) }
    #expect(outcomes[..<2] == [.recorded, .notRecorded(.diskFull)])
    #expect(outcomes[2...].allSatisfy { $0 == .recorded })
    #expect(ledger.counters.backupSlices == 3)
    let opening = try Self.opening(ofCopy: made.path, fixture.settings)
    #expect(opening.spend(of: "t1")?.pico == 7)
  }

  /// The connection that a copy goes through is closed: whoever waits for the copy is told.
  @Test func aReopeningEndsTheCopy() throws {
    let fixture = try fixture { $0.sliceDuration = .zero }
    for index in 0..<6_000 { fixture.submit(amount, key: "before-\(index)") }
    #expect(fixture.client.wait(6_000))
    let (ledger, probe) = (fixture.ledger, fixture.probe)
    probe.once(at: .copying) {
      probe.fail(.committed, code: 1_034)
      let record = LedgerRecord(
        amount: PicoUSD(pico: 7), key: nil, token: LedgerToken(high: 0, low: .max))
      #expect(ledger.submit(record, charging: [1]) == .queued)
    }
    #expect {
      _ = try ledger.backup(named: "copy", at: fixture.client.now())
    } throws: {
      "\($0)".contains("try again")
    }
    #expect(fixture.client.wait(2))
    #expect(fixture.client.resolution(.max) == .recorded)
    _ = try ledger.backup(named: "copy", at: fixture.client.now())
  }

  /// A copy is looked through before it gets its name, and nothing has to be beside it.
  @Test func aCopyIsCheckedAndNeedsNoLog() throws {
    let fixture = try fixture()
    let place = fixture.directory + "/backups"
    let made = try fixture.ledger.backup(named: "copy", at: fixture.client.now())
    let header = try SystemCalls.head(of: made.path, count: 20)
    #expect(header[18] == 1 && header[19] == 1)
    #expect(LedgerStore.complaint(ofCopy: made.path, stoppingOn: StopFlag()) == nil)
    #expect(try FileManager.default.contentsOfDirectory(atPath: place) == ["copy"])
    var bytes = try Data(contentsOf: URL(filePath: made.path))
    for index in 4_096..<4_196 { bytes[index] = 0xFF }
    try bytes.write(to: URL(filePath: made.path))
    #expect(LedgerStore.complaint(ofCopy: made.path, stoppingOn: StopFlag()) != nil)
  }

  // MARK: - Pruning

  /// A budget whose last window's row is gone goes too, and comes back with its next charge.
  @Test func budgetsWithoutWindowsArePruned() throws {
    let fixture = try fixture { $0.pruneInterval = .zero }
    #expect(fixture.ledger.settle())
    fixture.client.advance(milliseconds: 36 * 86_400_000 + 1)
    // Each loop prunes one block: one of five, and one more to find the end.
    for _ in 0..<12 { #expect(fixture.record(amount, slots: [0, 1_000]) == .recorded) }
    var store = try LedgerFixture.store(ofCopy: fixture)
    let names = try LedgerReading.read(store, .init(keyBound: .max)) { _ in }.budgets.values
    #expect(names.map(\.name).sorted() == ["t0", "t1000"])
    #expect(fixture.ledger.counters.prunedBlocks >= 5)
    #expect(fixture.record(amount, slots: [0, 1, 2]) == .recorded)
    #expect(try fixture.afterKill().spend(of: "t1") == amount)
    #expect(try fixture.afterKill().spend(of: "t0") == PicoUSD(pico: 7 * 13))
    #expect(fixture.ledger.settle())
    store = try LedgerFixture.store(ofCopy: fixture)
    #expect(try LedgerStore.integer("SELECT count(*) FROM budget", store.connection) == 4)
    try fixture.restart()
    #expect(fixture.ledger.opening.windows.count == 4)
    #expect(fixture.record(amount, slots: [1]) == .recorded)
    #expect(try fixture.afterKill().spend(of: "t1") == PicoUSD(pico: 14))
  }

  /// A budget that only the fleet's windows name stays as long as they do.
  @Test func aBudgetOfTheFleetStays() throws {
    let fixture = try LedgerFixture { $0.pruneInterval = .zero }
    let now = fixture.client.now()
    try fixture.ledger.remember([fixture.fleetWindow(3, from: now.unixMilliseconds)])
    for _ in 0..<4 { #expect(fixture.record(amount) == .recorded) }
    try fixture.restart()
    #expect(fixture.ledger.opening.fleet.map(\.window.key.name) == ["p3"])
    fixture.client.advance(milliseconds: 35 * 86_400_000)
    for _ in 0..<6 { #expect(fixture.record(amount) == .recorded) }
    var store = try LedgerFixture.store(ofCopy: fixture)
    #expect(try LedgerReading.read(store, .init(keyBound: .max)) { _ in }.budgets.count == 2)
    fixture.client.advance(milliseconds: 86_400_000 + 1)
    for _ in 0..<6 { #expect(fixture.record(amount) == .recorded) }
    store = try LedgerFixture.store(ofCopy: fixture)
    let names = try LedgerReading.read(store, .init(keyBound: .max)) { _ in }.budgets.values
    #expect(names.map(\.name) == ["p0"])
  }
}

/// Records that were sent from the ledger's thread.
private final class Sent: Sendable {
  private let count = Atomic<Int>(0)

  var number: Int { count.load(ordering: .acquiring) }

  func next() -> Int { count.add(1, ordering: .acquiringAndReleasing).newValue }
}

extension LedgerFixture {
  /// The database as a kill at this instant leaves it, read as it is. The copy goes with the file
  /// system's temporary files.
  static func store(ofCopy fixture: LedgerFixture) throws -> LedgerStore {
    let copy = temporaryPath()
    try FileManager.default.copyItem(atPath: fixture.directory, toPath: copy)
    defer { try? FileManager.default.removeItem(atPath: copy) }
    return try LedgerStore(path: DataDirectory.databasePath(in: copy), probe: nil)
  }

  /// Changes the database of a closed ledger. SQL is a literal for the ledger; a test picks one of
  /// its own.
  static func change(_ directory: String, _ sql: String) throws {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [
      "python3", "-c",
      "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.execute(sys.argv[2]); c.commit()",
      DataDirectory.databasePath(in: directory), sql,
    ]
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
  }
}
