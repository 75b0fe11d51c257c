import BudgetModel
import Foundation
import Testing

@testable import SpendLedger

/// A log that another program cuts short. Later commits grow it past its old length, with a hole
/// in it: its length alone, looked at now and then, does not tell.
@Suite struct CutLogTests {
  private let amount = PicoUSD(pico: 42)
  private let files = FileManager.default

  /// Never looks at all files, beside once a second; some records are in the log.
  private func fixture() throws -> LedgerFixture {
    let fixture = try LedgerFixture { $0.fileLookInterval = .seconds(3_600) }
    keepLog(of: fixture)
    for number in 0..<8 { #expect(fixture.record(amount, key: "k\(number)") == .recorded) }
    return fixture
  }

  /// However slow the machine is, no checkpoint of an idle second takes the log over.
  private func keepLog(of fixture: LedgerFixture) {
    fixture.probe.fail(.checkpoint, code: 13, times: .max)
  }

  private func reason(_ fixture: LedgerFixture) -> String {
    switch fixture.ledger.state {
    case .ready: "ready"
    case .refusing(let reason): "refusing: \(reason)"
    case .failed(let reason): reason
    }
  }

  private static func cut(_ directory: String, to bytes: UInt64) throws {
    let file = try FileHandle(forWritingTo: URL(filePath: directory + "/ledger.sqlite-wal"))
    try file.truncate(atOffset: bytes)
    try file.close()
  }

  /// With and without the header, and in the middle of the last frame.
  private static let lengths: [Int64] = [0, 32, 32 + 4_120, -1]

  private static func length(_ wanted: Int64, in directory: String) -> UInt64 {
    let size = SystemCalls.status(of: directory + "/ledger.sqlite-wal")?.size ?? 0
    return UInt64(wanted < 0 ? size + wanted : wanted)
  }

  @Test(arguments: lengths)
  func aCutBetweenTwoCommitsRefusesTheNext(_ wanted: Int64) throws {
    let fixture = try fixture()
    try Self.cut(fixture.directory, to: Self.length(wanted, in: fixture.directory))
    #expect(fixture.record(amount, key: "after") == .notRecorded(.failed))
    #expect(reason(fixture).contains("ledger.sqlite-wal was written to by another program"))
    #expect(!fixture.ledger.isReady)
  }

  /// The commit's own frames stand behind the hole: only the log's contents tell.
  @Test(arguments: lengths.dropLast())
  func aCutDuringACommitLeavesItInDoubt(_ wanted: Int64) throws {
    let fixture = try fixture()
    let directory = fixture.directory
    fixture.probe.once(at: .commit) { try? Self.cut(directory, to: UInt64(wanted)) }
    #expect(fixture.record(amount, key: "during") == .unknown)
    #expect(reason(fixture).contains("ledger.sqlite-wal was written to by another program"))
    #expect(fixture.ledger.counters.recorded == 8)
  }

  @Test(arguments: lengths)
  func aCutBeforeTheAnswerLeavesItInDoubt(_ wanted: Int64) throws {
    let fixture = try fixture()
    let directory = fixture.directory
    fixture.probe.once(at: .committed) {
      try? Self.cut(directory, to: Self.length(wanted, in: directory))
    }
    #expect(fixture.record(amount, key: "during") == .unknown)
    #expect(reason(fixture).contains("ledger.sqlite-wal was written to by another program"))
  }

  /// Commits without records are answered too, and make the log grow.
  @Test func aFoldIsLookedAtToo() throws {
    let fixture = try fixture()
    let directory = fixture.directory
    fixture.probe.once(at: .commit) { try? Self.cut(directory, to: 0) }
    #expect(!fixture.ledger.settle())
    #expect(reason(fixture).contains("ledger.sqlite-wal was written to by another program"))
  }

  /// A log that begins anew after a checkpoint has another header, and one that was cut by this
  /// process is short: both are its own doing.
  @Test(arguments: [0, Int.max])
  func ownCheckpointsAreNoLoss(_ truncateBytes: Int) throws {
    let fixture = try LedgerFixture {
      $0.fileLookInterval = .seconds(3_600)
      $0.checkpointBytes = 3 * 4_120
      $0.truncateBytes = truncateBytes
    }
    for number in 0..<40 { #expect(fixture.record(amount, key: "k\(number)") == .recorded) }
    #expect(fixture.ledger.counters.checkpoints > 2)
    #expect(fixture.ledger.isReady)
    fixture.ledger.close()
    #expect(try fixture.afterKill().spend(of: "p0") == PicoUSD(pico: 42 * 40))
  }

  /// The process holds what the file has lost: a copy of it has all that was recorded.
  @Test(arguments: [StorageStep.commit, .committed, nil])
  func aCopyBringsBackWhatTheLogHas(lost step: StorageStep?) throws {
    let fixture = try fixture()
    let directory = fixture.directory
    if let step {
      fixture.probe.once(at: step) { try? Self.cut(directory, to: 0) }
    } else {
      try Self.cut(directory, to: 0)
    }
    let outcome = fixture.record(amount)
    #expect(reason(fixture).contains("budgetctl backup"), "\(reason(fixture))")
    #expect(reason(fixture).contains("do not restart"), "\(reason(fixture))")
    let copy = try fixture.ledger.backup(named: "rescue", at: fixture.client.now())
    fixture.ledger.close()
    let database = directory + "/ledger.sqlite"
    try files.removeItem(atPath: database)
    try? files.removeItem(atPath: database + "-wal")
    try files.moveItem(atPath: copy.path, toPath: database)
    let spend = try #require(try fixture.afterKill().spend(of: "p0"))
    #expect(spend.pico == 42 * 8 || outcome == .unknown && spend.pico == 42 * 9, "\(spend)")
  }

  /// More than SQLite keeps in memory: what is gone with the log is not copied as zeros.
  @Test func noCopyIsMadeOfWhatCannotBeRead() throws {
    let fixture = try LedgerFixture {
      $0.fileLookInterval = .seconds(3_600)
      $0.checkpointBytes = .max
      $0.queueRecordBound = 200_000
    }
    keepLog(of: fixture)
    let directory = fixture.directory
    for number in 1...120_000 {
      let token = UInt64(number) << 32
      // Spread as a digest is.
      let digest = UInt128(number) &* 0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835
      let key = RecordKey(digest: digest, fingerprint: 1)
      let record = LedgerRecord(amount: amount, key: key, token: .init(high: 0, low: token))
      #expect(fixture.ledger.submit(record, charging: [0]) == .queued)
    }
    #expect(fixture.client.wait(120_000))
    let log = SystemCalls.status(of: directory + "/ledger.sqlite-wal")?.size ?? 0
    #expect(log > 3 << 20, "SQLite keeps 2 MB")
    fixture.probe.once(at: .commit) { try? Self.cut(directory, to: 0) }
    #expect(fixture.record(amount) == .unknown)
    do {
      _ = try fixture.ledger.backup(named: "rescue", at: fixture.client.now())
      Issue.record("a copy was made")
    } catch {
      #expect("\(error)".contains("Restore a backup"), "\(error)")
    }
    #expect(try files.contentsOfDirectory(atPath: directory + "/backups").isEmpty)
  }
}
