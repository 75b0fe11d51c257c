import BudgetModel
import Foundation
import Testing

@testable import SpendLedger

/// A data directory that is a symbolic link, or lies below one.
@Suite struct LinkedDirectoryTests {
  private let amount = PicoUSD(pico: 42)
  private let files = FileManager.default

  /// A folder with a directory `real` and a link `link` to it.
  private func folder() throws -> String {
    let folder = LedgerFixture.temporaryPath()
    try files.createDirectory(atPath: folder + "/real", withIntermediateDirectories: true)
    try files.createSymbolicLink(atPath: folder + "/link", withDestinationPath: "real")
    return folder
  }

  @Test(arguments: ["/link", "/link/", "/link/below"])
  func itIsOpenedAndOpenedAgain(_ path: String) throws {
    let folder = try folder()
    defer { try? files.removeItem(atPath: folder) }
    let fixture = try LedgerFixture { $0.directory = folder + path }
    #expect(fixture.record(amount, key: "a") == .recorded)
    fixture.probe.fail(.committed, code: 1_034)
    #expect(fixture.record(amount, key: "b") == .unknown)
    #expect(fixture.client.wait(), "the file was read again, and tells of it")
    #expect(fixture.record(amount, key: "c") == .recorded)
    let copy = try fixture.ledger.backup(named: "x", at: fixture.client.now())
    #expect(copy.path.hasPrefix(folder + "/real/"))
    try fixture.restart()
    #expect(fixture.ledger.opening.spend(of: "p0") == PicoUSD(pico: 42 * 3))
    fixture.ledger.close()
  }

  /// The next start goes by the link: what is written behind its old end it does not find.
  @Test func aLinkThatLeadsElsewhereIsNoticed() throws {
    let folder = try folder()
    defer { try? files.removeItem(atPath: folder) }
    let fixture = try LedgerFixture {
      $0.directory = folder + "/link"
      $0.fileLookInterval = .zero
    }
    #expect(fixture.record(amount, key: "a") == .recorded)
    try files.copyItem(atPath: folder + "/real", toPath: folder + "/other")
    try files.removeItem(atPath: folder + "/link")
    try files.createSymbolicLink(atPath: folder + "/link", withDestinationPath: "other")
    #expect(fixture.record(amount, key: "b") == .notRecorded(.filesGone))
    guard case .refusing(let reason) = fixture.ledger.state else {
      Issue.record("\(fixture.ledger.state)")
      return
    }
    #expect(reason.contains(folder + "/link was replaced"), "\(reason)")
    fixture.ledger.close()
  }

  /// The file itself is followed by no link.
  @Test func aDatabaseThatIsALinkIsRefusedByItsPath() throws {
    let fixture = try LedgerFixture()
    fixture.ledger.close()
    let path = fixture.directory + "/ledger.sqlite"
    try files.moveItem(atPath: path, toPath: path + ".real")
    try files.createSymbolicLink(atPath: path, withDestinationPath: "ledger.sqlite.real")
    do {
      _ = try SpendLedger.open(fixture.settings)
      Issue.record("it was opened")
    } catch {
      #expect("\(error)".contains(path) && "\(error)".contains("symbolic link"), "\(error)")
    }
  }
}
