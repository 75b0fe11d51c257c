import BudgetModel
import Foundation
import Glibc
import Locks
import Synchronization
import Testing

@testable import SpendLedger

/// Copies of the ledger: where they go, and what keeps one from being made.
@Suite struct BackupTests {
  private let amount = PicoUSD(pico: 3)
  private let files = FileManager.default

  private func fixture(
    _ change: (inout LedgerSettings) -> Void = { _ in }
  ) throws -> LedgerFixture {
    let fixture = try LedgerFixture(change)
    #expect(fixture.record(amount, key: "k") == .recorded)
    return fixture
  }

  private func copy(_ fixture: LedgerFixture, _ name: String = "") throws -> LedgerBackup {
    try fixture.ledger.backup(named: name, at: fixture.client.now())
  }

  /// The error of a copy; nil: it is made.
  private func refusal(_ fixture: LedgerFixture, _ name: String) -> LedgerError? {
    do throws(LedgerError) {
      _ = try fixture.ledger.backup(named: name, at: fixture.client.now())
      return nil
    } catch {
      return error
    }
  }

  private func directory(_ fixture: LedgerFixture) -> String { fixture.directory + "/backups" }

  private func entries(_ fixture: LedgerFixture) throws -> [String] {
    try files.contentsOfDirectory(atPath: directory(fixture)).sorted()
  }

  private func mode(_ path: String) throws -> Int? {
    try files.attributesOfItem(atPath: path)[.posixPermissions] as? Int
  }

  @Test func aCopyIsPrivateWholeAndByItsName() throws {
    let fixture = try fixture()
    let made = try copy(fixture, "grün.sqlite")
    #expect(made.path == directory(fixture) + "/grün.sqlite")
    #expect(try mode(made.path) == 0o600)
    #expect(try mode(directory(fixture)) == 0o700)
    let size = try files.attributesOfItem(atPath: made.path)[.size] as? Int
    #expect(size == Int(made.bytes))
    #expect(try entries(fixture) == ["grün.sqlite"])
  }

  /// An SQLite built with URI names takes these for anything but a file's name.
  @Test func aNameIsNeverAURI() throws {
    let fixture = try fixture()
    for name in ["file:copy?mode=memory", "file:%2Ftmp%2Fx", ":memory:", "a%2Fb", "-copy", "~"] {
      let made = try copy(fixture, name)
      #expect(made.path == directory(fixture) + "/" + name)
      #expect(files.fileExists(atPath: made.path))
    }
    #expect(try entries(fixture).count == 6)
  }

  @Test(arguments: [
    "/etc/x", "a/b", "../x", ".", "..", ".hidden", "a\nb", "a\u{7f}", "\u{85}", "x-wal",
    "x-journal", "x-shm", String(repeating: "é", count: 101),
  ])
  func whatIsNoNameIsRefused(_ name: String) throws {
    let fixture = try fixture()
    guard case .backupName(name, _)? = refusal(fixture, name) else {
      Issue.record("\(name) was taken")
      return
    }
    #expect(!files.fileExists(atPath: directory(fixture)), "nothing was touched")
    #expect(BackupName.complaint(String(repeating: "é", count: 100)) == nil)
  }

  @Test func nothingIsOverwrittenOrFollowed() throws {
    let fixture = try fixture()
    _ = try copy(fixture, "first")
    let (place, target) = (directory(fixture), fixture.directory + "/target")
    try Data("mine".utf8).write(to: URL(filePath: place + "/file"))
    try files.createDirectory(atPath: place + "/folder", withIntermediateDirectories: false)
    try files.createSymbolicLink(atPath: place + "/dangling", withDestinationPath: target)
    let draft = ".budgetd-0123456789abcdef.partial"
    try files.createSymbolicLink(atPath: place + "/" + draft, withDestinationPath: target)
    for name in ["first", "file", "folder", "dangling"] {
      guard case .backupName(name, _)? = refusal(fixture, name) else {
        Issue.record("\(name) was taken")
        continue
      }
    }
    #expect(refusal(fixture, "trap") == nil)
    #expect(!files.fileExists(atPath: target))
    #expect(try String(contentsOfFile: place + "/file", encoding: .utf8) == "mine")
    #expect(try entries(fixture) == [draft, "dangling", "file", "first", "folder", "trap"])
  }

  @Test func namesOfTheDateAreTakenInTurn() throws {
    let fixture = try fixture()
    #expect(try copy(fixture).path.hasSuffix("/backups/ledger-20231114-221320.sqlite"))
    #expect(try copy(fixture).path.hasSuffix("/backups/ledger-20231114-221320-2.sqlite"))
    fixture.client.advance(milliseconds: 1_000)
    #expect(try copy(fixture).path.hasSuffix("/backups/ledger-20231114-221321.sqlite"))
  }

  @Test func soManyAreKeptAndNoneIsDeleted() throws {
    let fixture = try fixture { $0.backups.kept = 2 }
    for name in ["a", "b"] { _ = try copy(fixture, name) }
    // A file that is not a copy of a ledger does not count, and does not make room.
    try Data(count: 4_096).write(to: URL(filePath: directory(fixture) + "/other"))
    let error = refusal(fixture, "c")
    guard case .backup(let reason)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(reason.contains(directory(fixture)) && reason.contains("--backups-kept"))
    #expect(try entries(fixture) == ["a", "b", "other"])
    try files.removeItem(atPath: directory(fixture) + "/a")
    #expect(refusal(fixture, "c") == nil)
  }

  @Test func theDiskKeepsItsReserve() throws {
    let fixture = try fixture { $0.backups.reserveBytes = .max }
    guard case .backup(let reason)? = refusal(fixture, "a") else {
      Issue.record("it was made")
      return
    }
    #expect(reason.contains("--backup-reserve-bytes"))
    #expect(try entries(fixture).isEmpty)
  }

  @Test func whatACrashLeftGoesAndWhatIsUnderWayStays() throws {
    let fixture = try fixture()
    _ = try copy(fixture, "first")
    let place = directory(fixture)
    let (gone, alone, locked) = (
      ".budgetd-0123456789abcdef.partial", ".budgetd-fedcba9876543210.partial-journal",
      ".budgetd-00000000000000ff.partial"
    )
    for name in [gone, gone + "-journal", alone, locked, locked + "-journal"] {
      try Data("half".utf8).write(to: URL(filePath: place + "/" + name))
    }
    let other = try Descriptor(place + "/" + locked, O_RDONLY)
    let isLocked = other.lock()
    #expect(isLocked, "another node works on it")
    _ = try copy(fixture, "second")
    #expect(try entries(fixture) == [locked, locked + "-journal", "first", "second"])
  }

  /// An operator's directory may hold anything.
  @Test func othersFilesAreLeftAlone() throws {
    let fixture = try fixture()
    _ = try copy(fixture, "first")
    let others = [
      ".precious.partial", ".precious.partial-journal", ".budgetd-.partial",
      ".budgetd-0123456789abcdeF.partial", ".budgetd-0123456789abcdef0.partial",
      ".budgetd-0123456789abcdef.partial.old",
    ]
    for name in others {
      try Data("mine".utf8).write(to: URL(filePath: directory(fixture) + "/" + name))
    }
    _ = try copy(fixture, "second")
    #expect(try entries(fixture) == (others + ["first", "second"]).sorted())
  }

  /// A directory elsewhere, by a link, as an operator may have it.
  @Test func theDirectoryMayBeElsewhere() throws {
    let (real, link) = (LedgerFixture.temporaryPath(), LedgerFixture.temporaryPath())
    try files.createDirectory(atPath: real, withIntermediateDirectories: false)
    try files.createSymbolicLink(atPath: link, withDestinationPath: real)
    defer { for path in [real, link] { try? files.removeItem(atPath: path) } }
    let fixture = try fixture { $0.backups.directory = link }
    #expect(try copy(fixture, "a").path == real + "/a")
    let missing = try self.fixture { $0.backups.directory = real + "/no/where" }
    guard case .backup(let reason)? = refusal(missing, "a") else {
      Issue.record("it was made")
      return
    }
    #expect(reason.contains(real + "/no/where"))
  }

  @Test func oneAtATime() throws {
    let fixture = try fixture()
    // The ledger's thread stands at the gate with a record, so the first copy waits.
    fixture.client.closeGate()
    fixture.submit(amount)
    fixture.client.atGate.wait()
    let (ledger, now) = (fixture.ledger, fixture.client.now())
    let first = Promise<Bool>()
    Thread.detachNewThread {
      first.fulfil((try? ledger.backup(named: "first", at: now)) != nil)
    }
    while !ledger.shared.isBackingUp.load(ordering: .acquiring) { sched_yield() }
    #expect(refusal(fixture, "second") == .backupUnderWay)
    fixture.client.openGate()
    #expect(first.wait())
    #expect(fixture.client.wait())
    #expect(refusal(fixture, "second") == nil)
  }

  /// The end does not wait for a copy, and nothing of it is left.
  @Test func aCopyIsGivenUpAtTheEnd() throws {
    let fixture = try fixture()
    for index in 0..<2_000 { fixture.submit(amount, key: "k\(index)") }
    #expect(fixture.client.wait(2_000))
    let ledger = fixture.ledger
    fixture.probe.once(at: .copying) { ledger.giveUpBackups() }
    #expect(refusal(fixture, "a") == .closed)
    #expect(try entries(fixture).isEmpty)
    #expect(fixture.record(amount, key: "later") == .recorded, "the ledger itself goes on")
    #expect(refusal(fixture, "b") == .closed)
  }
}
