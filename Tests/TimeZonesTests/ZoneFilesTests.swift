import BudgetModel
import Foundation
import Testing

@testable import TimeZones

@Suite struct ZoneFilesTests {
  private let system = ZoneFiles.system(environment: ProcessInfo.processInfo.environment)

  private func problem(_ name: String, _ files: ZoneFiles) -> ZoneError? {
    do throws(ZoneError) {
      _ = try files.table(named: name)
      return nil
    } catch { return error }
  }

  private func nearest(_ name: String) -> [String]? {
    guard case .unknown(name, system.directory, let nearest) = problem(name, system) else {
      return nil
    }
    return nearest
  }

  /// A directory of zone files, and one more file of these bytes.
  private func withDirectory(
    _ files: [String: [UInt8]], _ body: (ZoneFiles) throws -> Void
  ) throws {
    let root = FileManager.default.temporaryDirectory
      .appending(path: "zones-\(UUID().uuidString)/zones")
    try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: root.deletingLastPathComponent()) }
    for (name, bytes) in files {
      let url = root.appending(path: name)
      try FileManager.default.createDirectory(
        at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(bytes).write(to: url)
    }
    try body(ZoneFiles(directory: root.path))
  }

  @Test func aVariableSaysWhereTheFilesAre() {
    #expect(ZoneFiles.system(environment: [:]).directory == "/usr/share/zoneinfo")
    #expect(ZoneFiles.system(environment: ["TZDIR": ""]).directory == "/usr/share/zoneinfo")
    #expect(ZoneFiles.system(environment: ["TZDIR": "/x"]).directory == "/x")
  }

  @Test func zonesAreFoundByTheirExactNames() throws {
    let berlin = try system.table(named: "Europe/Berlin")
    #expect(berlin.name == "Europe/Berlin")
    #expect(berlin.transitions.contains(.init(at: 1_774_746_000, offset: 7_200)))
    #expect(try system.table(named: "America/Argentina/Buenos_Aires").transitions.count > 10)
    // A link.
    #expect(
      try system.table(named: "Europe/Bratislava").transitions
        == system.table(named: "Europe/Prague").transitions)
    #expect(nearest("europe/berlin") == ["Europe/Berlin"])
    #expect(nearest("Europe") != nil, "a directory")
  }

  @Test func theTableGoesTo2100() throws {
    for name in ["Europe/Berlin", "America/New_York", "Africa/Casablanca", "Australia/Lord_Howe"] {
      let last = try #require(try system.table(named: name).transitions.last)
      let end = name == "Africa/Casablanca" ? 3_400_000_000 : 4_090_000_000
      #expect(last.at > end && last.at < 4_102_444_800, "\(name)")
    }
  }

  @Test func namesThatLeadElsewhereAreUnknown() throws {
    let zone = ZoneFileBytes().bytes
    try withDirectory(["A/B": zone, "../secret": zone]) { files in
      let table = try files.table(named: "A/B")
      #expect(table.firstOffset == 3_600)
      #expect(FileManager.default.fileExists(atPath: files.directory + "/../secret"))
      for name in [
        "../secret", "A/../../secret", "/A/B", files.directory + "/A/B", "A//B", "A/B/", "./A/B",
        "A/./B", "", "/", "A", "A/B\n", "A/B\0", "A/É", "A B",
        String(repeating: "A/", count: 64) + "B",
      ] {
        guard case .unknown = problem(name, files) else {
          Issue.record("\(name.debugDescription)")
          continue
        }
      }
    }
  }

  @Test func unknownNamesAreToldWhatIsNear() {
    #expect(nearest("Europe/Berln") == ["Europe/Berlin"])
    #expect(nearest("Berlin") == ["Europe/Berlin"])
    #expect(nearest("Germany/Berlin") == ["Europe/Berlin"])
    #expect(nearest("new york") == ["America/New_York"])
    #expect(nearest("Asia/Kolkatta")?.first == "Asia/Kolkata")
    #expect(nearest("Mars/Olympus_Mons") == [])
    #expect((nearest("GMT+25") ?? []).count == 3)
    #expect(nearest("../../etc/passwd") == [])
    #expect(nearest(String(repeating: "x", count: 100_000)) == [])
    #expect(
      problem("Europe/Berln", system)?.description
        == "'Europe/Berln' is not a time zone of \(system.directory): did you mean Europe/Berlin?")
    #expect(
      problem("Mars\u{1b}", system)?.description
        == "'Mars\\u{1b}' is not a time zone of \(system.directory): give an IANA name, such as "
        + "Europe/Berlin")
    #expect(
      ZoneError.unknown(name: "x", directory: "/d", nearest: ["A", "B", "C"]).description
        == "'x' is not a time zone of /d: did you mean A, B or C?")
  }

  @Test func aDirectoryWithoutZonesSaysSo() throws {
    let nowhere = ZoneFiles(directory: "/nonexistent")
    #expect(problem("Europe/Berlin", nowhere) == .noFiles(directory: "/nonexistent"))
    #expect(problem("UTC", nowhere) == nil, "UTC needs no file")
    #expect(try nowhere.table(named: "UTC") == .utc)
    try withDirectory(["readme": Array("no zone".utf8)]) { files in
      #expect(problem("Europe/Berlin", files) == .noFiles(directory: files.directory))
    }
    #expect(
      ZoneError.noFiles(directory: "/x").description
        == "'/x' has no time zone files: install Debian's tzdata, or set TZDIR to the directory that "
        + "has them")
  }

  @Test func filesThatCannotBeUsedSayWhy() throws {
    let large = ZoneFileBytes().bytes + [UInt8](repeating: 0, count: 1 << 20)
    try withDirectory(["A": large, "B": Array("text".utf8), "C": []]) { files in
      #expect(
        problem("A", files)
          == .unreadable(name: "A", reason: "it is larger than 1048576 bytes"))
      #expect(
        problem("C", files) == .unreadable(name: "C", reason: "it ends too early"))
      #expect(
        problem("B", files)?.description
          == "the file of the time zone 'B' cannot be used, it does not begin with 'TZif' where a "
          + "block begins: install tzdata again, or set TZDIR to the directory of another copy")
    }
  }

  @Test func linksAreFollowedAndPipesAreNotOpened() throws {
    try withDirectory(["A": ZoneFileBytes().bytes]) { files in
      try FileManager.default.createSymbolicLink(
        atPath: files.directory + "/Link", withDestinationPath: "A")
      try FileManager.default.createSymbolicLink(
        atPath: files.directory + "/Circle", withDestinationPath: "Circle")
      let process = try Process.run(
        URL(filePath: "/usr/bin/env"), arguments: ["mkfifo", files.directory + "/Pipe"])
      process.waitUntilExit()
      #expect(process.terminationStatus == 0)
      let link = try files.table(named: "Link")
      #expect(link.firstOffset == 3_600)
      for name in ["Circle", "Pipe"] {
        guard case .unknown = problem(name, files) else {
          Issue.record("\(name)")
          continue
        }
      }
    }
  }
}
