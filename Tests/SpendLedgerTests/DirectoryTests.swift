import BudgetModel
import Digest
import Foundation
import SeededRandom
import Testing

@testable import SpendLedger

@Suite struct DirectoryTests {
  /// A closed ledger with some spend in it.
  private func closedLedger() throws -> LedgerFixture {
    let fixture = try LedgerFixture()
    for index in 0..<200 {
      fixture.submit(PicoUSD(pico: Int128(index)), key: "k\(index)", slots: [Int32(index % 8)])
    }
    #expect(fixture.client.wait(200))
    fixture.ledger.close()
    return fixture
  }

  /// Every file of a directory and its digest, but for the lock.
  private func contents(_ directory: String) throws -> [String: String] {
    var digests: [String: String] = [:]
    for name in try FileManager.default.contentsOfDirectory(atPath: directory)
    where name != "LOCK" {
      let bytes = [UInt8](try Data(contentsOf: URL(filePath: directory + "/" + name)))
      digests[name] = SHA256Digest.bytes(of: bytes).description
    }
    return digests
  }

  private func database(_ fixture: LedgerFixture) -> URL {
    URL(filePath: fixture.directory + "/ledger.sqlite")
  }

  /// The error of an opening, which has touched nothing.
  private func refusal(_ fixture: LedgerFixture) throws -> LedgerError? {
    let before = try contents(fixture.directory)
    do throws(LedgerError) {
      let ledger = try SpendLedger.open(fixture.settings)
      ledger.close()
      return nil
    } catch {
      #expect(try contents(fixture.directory) == before, "a refused file was touched: \(error)")
      return error
    }
  }

  /// Kills the mutant `synchronous=OFF`.
  @Test func thePragmasAreAsTheyShouldBe() throws {
    let fixture = try closedLedger()
    let store = try LedgerStore(path: database(fixture).path, probe: nil)
    func integer(_ sql: StaticString) throws -> Int64 {
      try LedgerStore.integer(sql, store.connection)
    }
    func text(_ sql: StaticString) throws -> String {
      try LedgerStore.text(sql, store.connection)
    }
    #expect(try text("PRAGMA locking_mode") == "exclusive")
    #expect(try text("PRAGMA journal_mode") == "wal")
    #expect(try integer("PRAGMA synchronous") == 2)
    #expect(try integer("PRAGMA wal_autocheckpoint") == 0)
    #expect(try integer("PRAGMA foreign_keys") == 1)
    #expect(try integer("PRAGMA trusted_schema") == 0)
    #expect(try integer("PRAGMA cell_size_check") == 1)
    #expect(try integer("PRAGMA temp_store") == 2)
    #expect(try integer("PRAGMA application_id") == Int64(LedgerSchema.applicationID))
    #expect(try integer("PRAGMA user_version") == 5)
    #expect(try text("PRAGMA integrity_check") == "ok")
    let strict = try integer("SELECT count(*) FROM pragma_table_list WHERE strict = 1")
    #expect(strict == 12)
    #expect(throws: SQLiteError.self) {
      try store.connection.execute("UPDATE sqlite_schema SET sql = ''", "break the schema")
    }
    #expect(throws: SQLiteError.self) {
      try store.connection.execute(
        "INSERT INTO window_spend VALUES(1, 1, 1, 1, 0, 1000000000000, 0)", "break a check")
    }
  }

  @Test func theDirectoryIsPrivateAndNamesItsHolder() throws {
    let fixture = try LedgerFixture()
    let manager = FileManager.default
    func mode(_ path: String) throws -> Int? {
      try manager.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }
    #expect(try mode(fixture.directory) == 0o700)
    #expect(try mode(database(fixture).path) == 0o600)
    let holder = try String(contentsOfFile: fixture.directory + "/LOCK", encoding: .utf8)
    #expect(holder == "\(ProcessInfo.processInfo.processIdentifier)\n")
    #expect(
      throws: LedgerError.inUse(
        path: fixture.directory, processID: ProcessInfo.processInfo.processIdentifier)
    ) { try SpendLedger.open(fixture.settings) }
  }

  @Test func aSecondProcessIsToldWhoHasTheDirectory() async throws {
    let fixture = try LedgerFixture()
    let (directory, holder) = (fixture.directory, ProcessInfo.processInfo.processIdentifier)
    await #expect(processExitsWith: .exitCode(42)) {
      [directory = directory as String, holder = holder as Int32] in
      do {
        _ = try SpendLedger.open(LedgerSettings(directory: directory))
      } catch {
        let isRight = error as? LedgerError == LedgerError.inUse(path: directory, processID: holder)
        exit(isRight && "\(error)".contains("process \(holder)") ? 42 : 1)
      }
    }
    withExtendedLifetime(fixture) {}
  }

  // Modes do not bind root, which the tests may run as: files stand where directories should.
  @Test func whatIsNoDirectoryIsRefused() throws {
    let path = LedgerFixture.temporaryPath()
    try Data("x".utf8).write(to: URL(filePath: path))
    defer { try? FileManager.default.removeItem(atPath: path) }
    for wrong in [path, path + "/below"] {
      do {
        _ = try SpendLedger.open(LedgerSettings(directory: wrong))
        Issue.record("\(wrong) was opened")
      } catch {
        guard case .directory(wrong, _) = error else {
          Issue.record("\(error)")
          continue
        }
      }
    }
    #expect(try Data(contentsOf: URL(filePath: path)) == Data("x".utf8))
  }

  @Test func foreignFilesAreRefusedAndNotTouched() throws {
    let fixture = try closedLedger()
    let good = try Data(contentsOf: database(fixture))
    func refusal(_ change: (inout Data) -> Void) throws -> LedgerError? {
      var bytes = good
      change(&bytes)
      try bytes.write(to: database(fixture))
      return try self.refusal(fixture)
    }
    let path = database(fixture).path
    #expect(try refusal { $0 = Data("no database at all".utf8) } == .notADatabase(path: path))
    #expect(try refusal { $0 = Data() } == .notADatabase(path: path))
    #expect(
      try refusal { $0.replaceSubrange(68..<72, with: [0, 0, 0, 9]) }
        == .foreign(path: path, applicationID: 9))
    let newer = try refusal { $0[63] = 7 }
    #expect(newer == .newer(path: path, version: 7, supported: 5))
    #expect(newer?.description.contains("backup") == true)
    #expect(try refusal { $0[63] = 0 } != nil, "tables without a version")
    try good.write(to: database(fixture))
    #expect(try self.refusal(fixture) == nil)
  }

  @Test func truncatedFilesAreRefusedAndNotTouched() throws {
    let fixture = try closedLedger()
    let good = try Data(contentsOf: database(fixture))
    for count in stride(from: 1, to: good.count, by: 1_021) + [4_096, good.count - 4_096] {
      try good.prefix(count).write(to: database(fixture))
      let error = try refusal(fixture)
      #expect(error != nil, "cut at \(count) of \(good.count)")
      #expect(error?.description.contains("nothing was touched") == true)
    }
  }

  /// Rows that a start would have no use for are checked with the others, before anything is written.
  @Test(arguments: [
    "UPDATE window_spend SET pico = pico + 1 WHERE start_ms = (SELECT min(start_ms) FROM window_spend)",
    "UPDATE window_spend SET start_ms = start_ms - 1",
    "UPDATE window_spend SET budget = 77 WHERE budget = (SELECT max(budget) FROM window_spend)",
  ])
  func aChangedBalanceIsRefusedAndNotTouched(_ change: String) throws {
    let fixture = try LedgerFixture()
    for _ in 0..<2 {
      #expect(fixture.record(PicoUSD(pico: 5), slots: [0, 1]) == .recorded)
      fixture.client.advance(milliseconds: 86_400_001)
    }
    fixture.ledger.close()
    try fixture.change(change)
    let error = try refusal(fixture)
    #expect(error?.description.contains("the balance of a window has changed") == true)
  }

  /// A flipped bit is found, or it lies where nothing is kept: then all is as it was.
  @Test func flippedBitsAreFoundOrHarmless() throws {
    let fixture = try closedLedger()
    let good = try Data(contentsOf: database(fixture))
    let expected = try fixture.afterKill().windows
    var random = SeededRandom(seed: UInt64.random(in: 0...UInt64.max))
    var found = 0
    for _ in 0..<150 {
      var bytes = good
      let bit = Int.random(in: 0..<bytes.count * 8, using: &random)
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
      try bytes.write(to: database(fixture))
      if try isRefusedUntouched(fixture) {
        found += 1
      } else {
        try bytes.write(to: database(fixture))
        do {
          let opening = try fixture.afterKill()
          #expect(opening.windows == expected, "seed \(random.seed), bit \(bit)")
          #expect(opening.keyCount == 200, "seed \(random.seed), bit \(bit)")
        } catch let error as LedgerError {
          // The first look may have had the page from a log that its end took away.
          let isUntouched = error.description.contains("nothing was touched")
          #expect(isUntouched, "seed \(random.seed), bit \(bit)")
          found += 1
        }
      }
    }
    #expect(found > 0, "seed \(random.seed)")
  }

  private func isRefusedUntouched(_ fixture: LedgerFixture) throws -> Bool {
    try refusal(fixture) != nil
  }

  @Test func aDatabaseOfVersion0IsMigrated() throws {
    let fixture = try closedLedger()
    try FileManager.default.removeItem(at: database(fixture))
    // A header as an earlier budgetd could have left it: ours, without a table.
    _ = try Descriptor(database(fixture).path, O_RDWR | O_CREAT | O_EXCL, mode: 0o600)
    do {
      let connection = try SQLiteConnection(path: database(fixture).path)
      try connection.execute("PRAGMA application_id = 0x62677464", "fabricate")
    }
    try fixture.restart()
    #expect(fixture.ledger.opening.windows.isEmpty)
    #expect(fixture.record(PicoUSD(pico: 1)) == .recorded)
  }

  @Test func aDraftThatACrashLeftIsNoLedger() throws {
    let path = LedgerFixture.temporaryPath()
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data("half".utf8).write(to: URL(filePath: path + "/ledger.sqlite.new"))
    let ledger = try SpendLedger.open(LedgerSettings(directory: path))
    #expect(ledger.opening.isNew)
    ledger.close()
    #expect(!FileManager.default.fileExists(atPath: path + "/ledger.sqlite.new"))
  }

  @Test func aBackupOpensAsANewOrigin() throws {
    let fixture = try LedgerFixture()
    let amount = PicoUSD(pico: 3)
    #expect(fixture.record(amount, key: "k") == .recorded)
    let copy = LedgerFixture.temporaryPath()
    try FileManager.default.createDirectory(atPath: copy, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: copy) }
    let made = try fixture.ledger.backup(named: "copy", at: fixture.client.now())
    #expect(made.path.hasSuffix("/backups/copy"))
    try FileManager.default.copyItem(atPath: made.path, toPath: copy + "/ledger.sqlite")
    #expect(fixture.record(amount, key: "later") == .recorded)
    var settings = LedgerSettings(directory: copy)
    settings.readClock = fixture.settings.readClock
    let ledger = try SpendLedger.open(settings)
    let client = TestClient()
    ledger.start(client)
    #expect(ledger.opening.nodeID == fixture.ledger.opening.nodeID)
    #expect(ledger.opening.origin != fixture.ledger.opening.origin)
    #expect(ledger.opening.wasCopied)
    // The directory it was copied from may be in use: its lives are not this one's to end.
    #expect(ledger.opening.endedOrigins == [])
    #expect(ledger.opening.spend(of: "p0") == amount)
    let retry = LedgerRecord(
      amount: amount, key: LedgerFixture.key("k", cost: amount),
      token: LedgerToken(high: 0, low: 1))
    #expect(ledger.submit(retry, charging: [0]) == .queued)
    #expect(client.wait())
    #expect(client.outcome(1) == .duplicate)
    ledger.close()
  }
}

private func + (left: StrideTo<Int>, right: [Int]) -> [Int] { Array(left) + right }
