import BudgetModel
import Foundation
import Testing

@testable import SpendLedger

/// Files that go, or are replaced, under an open ledger: nothing is answered as recorded that the
/// next start does not find.
@Suite struct FileLossTests {
  private let amount = PicoUSD(pico: 42)
  private let files = FileManager.default

  /// A deed to the directory; the reason must name the path and its fate.
  enum Deed: String, CaseIterable {
    case removeDatabase, moveDatabase, replaceDatabase, restoreDatabase
    case removeLog, moveLog, replaceLog, cutLog
    case removeDirectory, moveDirectory, replaceDirectory

    /// Whether the database still is in its place with all that was recorded.
    var keepsAll: Bool { [.removeLog, .moveLog, .replaceLog].contains(self) }
    var isOverwriting: Bool { [.restoreDatabase, .cutLog].contains(self) }

    var names: String {
      switch self {
      case .removeDatabase: "ledger.sqlite was removed"
      case .moveDatabase: "ledger.sqlite was moved away"
      case .replaceDatabase: "ledger.sqlite was replaced"
      case .restoreDatabase: "ledger.sqlite was written to by another program"
      case .removeLog: "ledger.sqlite-wal was removed"
      case .moveLog: "ledger.sqlite-wal was moved away"
      case .replaceLog: "ledger.sqlite-wal was replaced"
      case .cutLog: "ledger.sqlite-wal was written to by another program"
      case .removeDirectory: " was removed"
      case .moveDirectory: " was moved away"
      case .replaceDirectory: " was replaced"
      }
    }

    func happen(in directory: String) throws {
      let files = FileManager.default
      let (database, aside) = (directory + "/ledger.sqlite", directory + ".aside")
      let log = database + "-wal"
      switch self {
      case .removeDatabase: try files.removeItem(atPath: database)
      case .removeLog: try files.removeItem(atPath: log)
      case .removeDirectory: try files.removeItem(atPath: directory)
      case .moveDatabase: try files.moveItem(atPath: database, toPath: database + ".old")
      case .moveLog: try files.moveItem(atPath: log, toPath: log + ".old")
      case .moveDirectory: try files.moveItem(atPath: directory, toPath: aside)
      case .replaceDatabase: try Self.replace(database)
      case .replaceLog: try Self.replace(log)
      case .replaceDirectory:
        try files.copyItem(atPath: directory, toPath: aside)
        try files.removeItem(atPath: directory)
        try files.moveItem(atPath: aside, toPath: directory)
      case .restoreDatabase:
        // As `cp` does: into the file that is there.
        let file = try FileHandle(forWritingTo: URL(filePath: database))
        try file.truncate(atOffset: 4_096)
        try file.close()
      case .cutLog:
        let file = try FileHandle(forWritingTo: URL(filePath: log))
        try file.truncate(atOffset: 0)
        try file.close()
      }
    }

    private static func replace(_ path: String) throws {
      let copy = path + ".copy"
      try FileManager.default.copyItem(atPath: path, toPath: copy)
      try FileManager.default.removeItem(atPath: path)
      try FileManager.default.moveItem(atPath: copy, toPath: path)
    }
  }

  /// Looks at all files before every commit.
  private func fixture() throws -> LedgerFixture {
    try LedgerFixture { $0.fileLookInterval = .zero }
  }

  private func reason(_ fixture: LedgerFixture) -> String {
    switch fixture.ledger.state {
    case .ready: "ready"
    case .refusing(let reason), .failed(let reason): reason
    }
  }

  @Test(arguments: Deed.allCases)
  func nothingIsAnsweredAsRecordedAfterwards(_ deed: Deed) throws {
    let fixture = try fixture()
    defer { try? files.removeItem(atPath: fixture.directory + ".aside") }
    #expect(fixture.record(amount, key: "before") == .recorded)
    try deed.happen(in: fixture.directory)
    let refusal: LedgerRefusal = deed.isOverwriting ? .failed : .filesGone
    #expect(fixture.record(amount, key: "after") == .notRecorded(refusal))
    if !deed.isOverwriting { #expect(fixture.record(amount) == .notRecorded(.filesGone)) }
    #expect(reason(fixture).contains(deed.names), "\(reason(fixture))")
    #expect(fixture.ledger.isReady == false)
    fixture.ledger.close()
    guard deed.keepsAll else { return }
    // With what is at the log's path out of the way, the next start finds all that was answered.
    try? files.removeItem(atPath: fixture.directory + "/ledger.sqlite-wal")
    #expect(try fixture.afterKill().spend(of: "p0") == amount)
  }

  /// Between a commit and its answer: the answer waits until the file is seen in its place.
  @Test func aDatabaseThatGoesDuringACommitLeavesItInDoubt() throws {
    let fixture = try fixture()
    #expect(fixture.record(amount, key: "before") == .recorded)
    let directory = fixture.directory
    fixture.probe.once(at: .committed) {
      try? Deed.removeDatabase.happen(in: directory)
    }
    #expect(fixture.record(amount, key: "during") == .unknown)
    #expect(fixture.record(amount, key: "after") == .notRecorded(.filesGone))
    #expect(fixture.ledger.counters.recorded == 1)
  }

  /// Without a look before it: the look after the commit is enough for it not to be answered OK.
  @Test(arguments: [Deed.removeDatabase, .moveDatabase, .replaceDatabase, .moveDirectory])
  func aCommitIsNotAnsweredBeforeItsFileIsSeen(_ deed: Deed) throws {
    let fixture = try LedgerFixture { $0.fileLookInterval = .seconds(3_600) }
    defer { try? files.removeItem(atPath: fixture.directory + ".aside") }
    #expect(fixture.record(amount, key: "before") == .recorded)
    try deed.happen(in: fixture.directory)
    // A look of the second may have come first.
    let outcome = fixture.record(amount, key: "after")
    #expect(outcome == .unknown || outcome == .notRecorded(.filesGone))
    #expect(fixture.record(amount, key: "later") == .notRecorded(.filesGone))
  }

  /// The log's content goes to the database as soon as the loss is noticed.
  @Test func aLogThatGoesDuringACommitLosesNothing() throws {
    let fixture = try fixture()
    let directory = fixture.directory
    fixture.probe.once(at: .committed) { try? Deed.removeLog.happen(in: directory) }
    #expect(fixture.record(amount, key: "during") == .recorded)
    #expect(fixture.record(amount, key: "after") == .notRecorded(.filesGone))
    fixture.ledger.close()
    #expect(try fixture.afterKill().spend(of: "p0") == amount)
  }

  /// A look a second finds it where nothing is recorded, and finds it back.
  @Test func anIdleLedgerNoticesAndGoesOnWhenTheDirectoryIsBack() throws {
    let fixture = try fixture()
    #expect(fixture.record(amount, key: "before") == .recorded)
    let aside = fixture.directory + ".aside"
    try files.moveItem(atPath: fixture.directory, toPath: aside)
    #expect(fixture.client.hears { if case .state(.refusing) = $0 { true } else { false } })
    #expect(reason(fixture).contains("\(fixture.directory) was moved away"))
    #expect(reason(fixture).contains("Move it back"))
    try files.moveItem(atPath: aside, toPath: fixture.directory)
    #expect(fixture.client.hears { $0 == .state(.ready) })
    #expect(fixture.record(amount, key: "before") == .duplicate)
    #expect(fixture.record(amount, key: "after") == .recorded)
    #expect(try fixture.afterKill().spend(of: "p0") == amount + amount)
  }

  /// A directory that goes during a commit and comes back: the file tells what became of it.
  @Test func aCommitInDoubtIsResolvedWhenItsFileIsBack() throws {
    let fixture = try fixture()
    #expect(fixture.record(amount, key: "before") == .recorded)
    let (directory, aside) = (fixture.directory, fixture.directory + ".aside")
    fixture.probe.fail(.committed, code: 1_034)
    fixture.probe.once(at: .committed) { try? Deed.moveDirectory.happen(in: directory) }
    let token = fixture.submit(amount, key: "during")
    #expect(fixture.client.wait())
    #expect(fixture.client.outcome(token) == .unknown)
    #expect(fixture.record(amount, key: "after") == .notRecorded(.filesGone))
    try files.moveItem(atPath: aside, toPath: directory)
    #expect(fixture.client.wait())
    #expect(fixture.client.resolution(token) == .recorded)
    #expect(fixture.record(amount, key: "during") == .duplicate)
  }

  @Test(arguments: ["remove", "replace"])
  func aLockThatIsNotHeldAnyMoreIsNoticed(_ deed: String) throws {
    let fixture = try fixture()
    try files.removeItem(atPath: fixture.directory + "/LOCK")
    if deed == "replace" { try Data().write(to: URL(filePath: fixture.directory + "/LOCK")) }
    #expect(fixture.client.hears { if case .state(.refusing) = $0 { true } else { false } })
    #expect(reason(fixture).contains("LOCK was \(deed)"))
    #expect(fixture.record(amount, key: "after") == .notRecorded(.filesGone))
  }

  /// Of the same length, so that only a look into it tells.
  @Test func aDatabaseThatAnotherProgramWritesToIsNoticed() throws {
    let fixture = try fixture()
    let path = fixture.directory + "/ledger.sqlite"
    let file = try FileHandle(forUpdating: URL(filePath: path))
    try file.seek(toOffset: 40)
    try file.write(contentsOf: Data([1, 2, 3, 4]))
    try file.close()
    #expect(fixture.client.hears { if case .state(.failed) = $0 { true } else { false } })
    #expect(reason(fixture).contains("written to by another program"))
  }

  @Test func aTouchIsHarmless() throws {
    let fixture = try fixture()
    let path = fixture.directory + "/ledger.sqlite"
    try files.setAttributes([.modificationDate: Date(timeIntervalSince1970: 1)], ofItemAtPath: path)
    try files.setAttributes([.posixPermissions: 0o640], ofItemAtPath: path)
    // Past a look at the files: a lock that goes is noticed, the touch is not.
    try files.moveItem(atPath: fixture.directory + "/LOCK", toPath: fixture.directory + "/L")
    #expect(fixture.client.hears { if case .state(.refusing) = $0 { true } else { false } })
    #expect(reason(fixture).contains("LOCK was moved away"))
    try files.moveItem(atPath: fixture.directory + "/L", toPath: fixture.directory + "/LOCK")
    #expect(fixture.client.hears { $0 == .state(.ready) })
    #expect(fixture.record(amount) == .recorded)
  }

  /// Nothing but a copy is left of what was recorded.
  @Test func aBackupIsTheWayOut() throws {
    let fixture = try fixture()
    #expect(fixture.record(amount, key: "before") == .recorded)
    try Deed.removeDatabase.happen(in: fixture.directory)
    #expect(fixture.record(amount, key: "after") == .notRecorded(.filesGone))
    #expect(reason(fixture).contains("budgetctl backup"))
    let copy = try fixture.ledger.backup(named: "rescue", at: fixture.client.now())
    fixture.ledger.close()
    let database = fixture.directory + "/ledger.sqlite"
    try files.moveItem(atPath: copy.path, toPath: database)
    try? files.removeItem(atPath: database + "-wal")
    #expect(try fixture.afterKill().spend(of: "p0") == amount)
  }

  /// Its place in the directory went with it.
  @Test func aBackupIsMadeWithoutTheDirectory() throws {
    let fixture = try fixture()
    #expect(fixture.record(amount, key: "before") == .recorded)
    try Deed.removeDirectory.happen(in: fixture.directory)
    #expect(fixture.record(amount, key: "after") == .notRecorded(.filesGone))
    let copy = try fixture.ledger.backup(named: "rescue", at: fixture.client.now())
    #expect(copy.path == fixture.directory + "/backups/rescue")
    let mode = try files.attributesOfItem(atPath: fixture.directory)[.posixPermissions] as? Int
    #expect(mode == 0o700)
    #expect(fixture.record(amount, key: "later") == .notRecorded(.filesGone))
    #expect(reason(fixture).contains(" was removed"), "not by the next look either")
    fixture.ledger.close()
    try files.moveItem(atPath: copy.path, toPath: fixture.directory + "/ledger.sqlite")
    #expect(try fixture.afterKill().spend(of: "p0") == amount)
  }

  /// A new directory in its place would keep it from being moved back.
  @Test func noDirectoryIsMadeInThePlaceOfOneThatWasMoved() throws {
    let fixture = try fixture()
    defer { try? files.removeItem(atPath: fixture.directory + ".aside") }
    try Deed.moveDirectory.happen(in: fixture.directory)
    #expect(fixture.record(amount, key: "after") == .notRecorded(.filesGone))
    #expect(throws: LedgerError.self) {
      try fixture.ledger.backup(named: "rescue", at: fixture.client.now())
    }
    #expect(!files.fileExists(atPath: fixture.directory))
  }
}
