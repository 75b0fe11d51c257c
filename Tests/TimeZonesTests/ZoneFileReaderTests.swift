import BudgetModel
import Foundation
import SeededRandom
import Testing

@testable import TimeZones

@Suite struct ZoneFileReaderTests {
  /// Nil where the file can be used.
  private func reason(_ bytes: [UInt8]) -> String? {
    do throws(ZoneError) {
      _ = try ZoneFileReader.table(named: "A/B", in: bytes)
      return nil
    } catch {
      guard case .unreadable(let name, let reason) = error, name == "A/B" else {
        Issue.record("\(error)")
        return nil
      }
      return reason
    }
  }

  private func table(_ file: ZoneFileBytes) throws -> ZoneTable {
    try ZoneFileReader.table(named: "A/B", in: file.bytes)
  }

  private func changes(_ file: ZoneFileBytes) throws -> [[Int64]] {
    try table(file).transitions.map { [$0.at, Int64($0.offset)] }
  }

  @Test func eachVersionIsRead() throws {
    for version in [0, UInt8(ascii: "2"), UInt8(ascii: "3"), UInt8(ascii: "4")] {
      let table = try table(ZoneFileBytes(version: version))
      #expect(table.name == "A/B" && table.firstOffset == 3_600)
      #expect(table.transitions.map(\.at) == [100, 200])
      #expect(table.transitions.map(\.offset) == [7_200, 3_600])
    }
  }

  @Test func timesMayBeFarAndNegative() throws {
    let file = ZoneFileBytes(
      transitions: [(-576_460_752_303_423_488, 1), (-5, 0), (9_000_000_000, 1)])
    #expect(
      try changes(file)
        == [[-576_460_752_303_423_488, 7_200], [-5, 3_600], [9_000_000_000, 7_200]])
    #expect(
      try changes(ZoneFileBytes(version: 0, transitions: [(-5, 1)])) == [[-5, 7_200]])
  }

  @Test func changesOfTheNameAloneAreLeftOut() throws {
    let file = ZoneFileBytes(
      offsets: [3_600, 7_200, 3_600, 7_200], transitions: [(1, 2), (2, 1), (3, 3), (4, 0)])
    #expect(try changes(file) == [[2, 7_200], [4, 3_600]])
  }

  @Test func filesThatAreWrongAreRefused() {
    let cases: [(ZoneFileBytes, String)] = [
      (ZoneFileBytes(version: UInt8(ascii: "1")), "its version is the byte 49"),
      (ZoneFileBytes(offsets: [], transitions: []), "it has no local time"),
      (
        ZoneFileBytes(transitions: [(1, 1), (2, 2)]),
        "a transition is to local time 2 of 2"
      ),
      (ZoneFileBytes(transitions: [(2, 1), (2, 0)]), "its transitions are not in order"),
      (ZoneFileBytes(transitions: [(2, 1), (1, 0)]), "its transitions are not in order"),
      (ZoneFileBytes(transitions: [(.min, 1)]), "its transitions are not in order"),
      (
        ZoneFileBytes(offsets: [0, 93_600]),
        "it has an offset of 93600 s, 26 h or more"
      ),
      (
        ZoneFileBytes(offsets: [.min, 0]),
        "it has an offset of -2147483648 s, 26 h or more"
      ),
      (ZoneFileBytes(leapSeconds: 1), "it counts leap seconds, as files in 'right' do"),
      (ZoneFileBytes(saidTimes: .max), "it ends too early"),
      (ZoneFileBytes(footer: ""), "it ends too early"),
      (ZoneFileBytes(footer: "EST5\n"), "it does not end with a line"),
      (ZoneFileBytes(footer: "\nEST5"), "it does not end with a line"),
      (ZoneFileBytes(footer: "\nE\u{1b}5\n"), "its last line 'E\\u{1b}5' is not a rule"),
    ]
    for (file, expected) in cases { #expect(reason(file.bytes) == expected) }
    #expect(
      reason(Array("not a zone".utf8)) == "it does not begin with 'TZif' where a block begins")
  }

  @Test func aFileThatEndsEarlyIsRefusedWhereverItEnds() throws {
    let berlin = try realFile("Europe/Berlin")
    for bytes in [ZoneFileBytes().bytes, ZoneFileBytes(version: 0).bytes, berlin] {
      #expect(reason(bytes) == nil)
      for length in bytes.indices { #expect(reason(Array(bytes[..<length])) != nil, "\(length)") }
    }
  }

  /// Whatever the bytes are, there is a table or an error.
  @Test func bytesThatAreChangedStopNobody() throws {
    let seed = UInt64.random(in: 0 ... .max)
    print("changed zone files, seed \(seed)")
    var random = SeededRandom(seed: seed)
    let files = try ["Europe/Berlin", "Asia/Gaza", "Etc/UTC"].map(realFile)
    var refused = 0
    for _ in 0..<3_000 {
      var bytes = random.pick(files)
      for _ in 0..<(1 + random.below(4)) {
        bytes[random.below(bytes.count)] = UInt8(truncatingIfNeeded: random.next())
      }
      if random.chance(0.1) { bytes.removeLast(random.below(bytes.count)) }
      if reason(bytes) != nil { refused += 1 }
    }
    #expect(refused > 0)
  }

  @Test func theLastLineCountsAfterTheLastTransition() throws {
    let march2030: Int64 = 1_901_149_200
    let file = ZoneFileBytes(
      transitions: [(march2030, 1)], footer: "\nCET-1CEST,M3.5.0,M10.5.0/3\n")
    let changes = try changes(file)
    #expect(
      changes.prefix(3)
        == [[march2030, 7_200], [1_919_293_200, 3_600], [1_932_598_800, 7_200]])
    #expect(changes.last == [4_096_573_200, 3_600])
    #expect(changes.count == 2 * 70)
  }

  /// Then it holds from the beginning, or from 1900 where clocks change.
  @Test func theLastLineAloneIsEnough() throws {
    let eastern = try table(ZoneFileBytes(offsets: [-18_000], transitions: [], footer: "\nEST5\n"))
    #expect(eastern.firstOffset == -18_000 && eastern.transitions == [])
    let changes = try changes(
      ZoneFileBytes(
        offsets: [3_600], transitions: [], footer: "\nCET-1CEST,M3.5.0,M10.5.0/3\n"))
    #expect(changes.count == 2 * 200)
    #expect(changes.first == [-2_201_814_000, 7_200])
  }

  /// Many real files have a table to 2037 beside their rule: the rule alone has to say the same.
  @Test(
    arguments: [
      "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Havana",
      "Europe/Dublin", "Pacific/Auckland", "Asia/Jerusalem", "America/Nuuk", "Antarctica/Troll",
    ])
  func aRuleAloneSaysWhatTheTableSays(name: String) throws {
    let bytes = try realFile(name)
    let whole = try ZoneFileReader.table(named: name, in: bytes)
    let rule = try #require(
      String(decoding: bytes, as: UTF8.self).split(separator: "\n").last)
    let year2036: Int64 = 2_082_758_400
    let past = whole.transitions.filter { $0.at < year2036 }
    let offsets = [whole.firstOffset] + Set(past.map(\.offset)).subtracting([whole.firstOffset])
    let cut = ZoneFileBytes(
      offsets: offsets,
      transitions: try past.map { transition in
        (transition.at, UInt8(try #require(offsets.firstIndex(of: transition.offset))))
      }, footer: "\n\(rule)\n")
    #expect(whole.transitions.count > past.count + 100)
    #expect(try ZoneFileReader.table(named: name, in: cut.bytes) == whole)
  }

  private func realFile(_ name: String) throws -> [UInt8] {
    let files = ZoneFiles.system(environment: ProcessInfo.processInfo.environment)
    return [UInt8](try Data(contentsOf: URL(filePath: files.directory + "/" + name)))
  }
}
