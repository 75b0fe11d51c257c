import Foundation
import Locks
import Testing

@testable import BudgetClient

/// The journal's bytes, and its files in a folder.
@Suite struct JournalTests {
  private static func body(_ key: String, size: Int = 3) -> [UInt8] {
    var record = RecordSpendRequest(costUSD: 0.5)
    record.idempotencyKey = key
    record.tags = [String(repeating: "x", count: size)]
    return (try? Frame.body(of: .recordSpend(record))) ?? []
  }

  private static func owe(_ journal: Journal, _ key: String, size: Int = 3) {
    journal.owe(Array(key.utf8), "127.0.0.1:1", body(key, size: size))
  }

  /// A folder that goes with the test, and what its journals complain of.
  private final class Folder: Sendable {
    let path = FileManager.default.temporaryDirectory.path + "/j\(UInt32.random(in: .min ... .max))"
    let complaints = Locked<[String]>([])

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func journal(rewriteBytes: Int = 16 << 20) throws -> Journal {
      try Journal(folder: path, rewriteBytes: rewriteBytes) { text in
        self.complaints.withLock { $0.append(text) }
      }
    }

    func bytes(of journal: Journal) throws -> [UInt8] {
      try JournalFiles.read("\(path)/\(journal.name).journal")
    }

    var names: [String] { (try? JournalFiles.names(in: path).filter { $0.first != "." }) ?? [] }
  }

  private static func keys(_ bytes: [UInt8]) -> [String] {
    JournalFormat.read(bytes).records.map { String(decoding: $0.key, as: UTF8.self) }
  }

  @Test func theSumIsThatOfZlib() {
    #expect(CRC32.sum(of: Array("123456789".utf8)[...]) == 0xCBF4_3926)
  }

  @Test func theLastLineOfAKeyCountsAndWhatIsDoneDoesNot() {
    let bytes =
      JournalFormat.header + JournalFormat.owed("a", Self.body("1"))
      + JournalFormat.owed("", Self.body("2")) + JournalFormat.done(Array("1".utf8))
      + JournalFormat.owed("b:1", Self.body("2"))
    let (records, unreadable) = JournalFormat.read(bytes)
    #expect(records.map(\.address) == ["b:1"] && records.map(\.body) == [Self.body("2")])
    #expect(unreadable == 0)
    #expect(JournalFormat.read(Array("something else\n".utf8)).records == [])
  }

  @Test func aLineThatIsNoRecordIsPassedOver() {
    let bytes =
      JournalFormat.header + JournalFormat.owed("a", [1, 2, 3])
      + JournalFormat.owed("a", Self.body("1"))
    let (records, unreadable) = JournalFormat.read(bytes)
    #expect(records.count == 1 && unreadable == 1)
  }

  /// kill -9 in the middle of a write, at each byte; a disk that gave back something else.
  @Test func whatStandsBeforeTheFirstBrokenLineIsOwed() {
    var bytes = JournalFormat.header
    var ends = [bytes.count]
    for key in ["0", "1", "2"] {
      bytes += JournalFormat.owed("a", Self.body(key))
      ends.append(bytes.count)
    }
    for length in JournalFormat.header.count..<bytes.count {
      let whole = ends.count { $0 <= length } - 1
      #expect(Self.keys(Array(bytes[..<length])) == (0..<whole).map(String.init))
    }
    for place in JournalFormat.header.count..<bytes.count {
      var broken = bytes
      broken[place] ^= 1
      let whole = ends.count { $0 <= place } - 1
      #expect(Self.keys(broken) == (0..<whole).map(String.init), "byte \(place)")
    }
  }

  @Test func itIsCutBackWhenNothingIsOwed() throws {
    let folder = Folder()
    let journal = try folder.journal()
    Self.owe(journal, "1")
    Self.owe(journal, "2")
    journal.done(Array("1".utf8))
    #expect(Self.keys(try folder.bytes(of: journal)) == ["2"])
    journal.done(Array("2".utf8))
    #expect(try folder.bytes(of: journal) == JournalFormat.header)
    journal.close()
    #expect(folder.names == [])
  }

  @Test func itIsWrittenAnewWhereLittleOfItIsOwed() throws {
    let folder = Folder()
    let journal = try folder.journal(rewriteBytes: 4_000)
    Self.owe(journal, "stays")
    for number in 0..<20 {
      Self.owe(journal, "\(number)", size: 800)
      journal.done(Array("\(number)".utf8))
    }
    let bytes = try folder.bytes(of: journal)
    #expect(bytes.count < 5_000 && Self.keys(bytes) == ["stays"])
    Self.owe(journal, "behind")
    #expect(Self.keys(try folder.bytes(of: journal)) == ["stays", "behind"])
    #expect(folder.complaints.withLock { $0 } == [])
  }

  @Test func theJournalOfOneThatLivesIsLeftAndThatOfOneThatIsNoMoreIsTakenOnce() throws {
    let folder = Folder()
    let first = try folder.journal()
    let second = try folder.journal()
    Self.owe(first, "1")
    #expect(second.orphans().isEmpty)
    // Closed, it answers no longer, as if it had been killed.
    first.close()
    let third = try folder.journal()
    let taken = second.orphans()
    #expect(taken.map { $0.records.count } == [1] && third.orphans().isEmpty)
    // Should the second one die now, a third takes the same records over.
    second.close()
    let again = third.orphans()
    #expect(again.flatMap(\.records).map(\.key) == [Array("1".utf8)])
    for orphan in again { third.forget(orphan) }
    third.close()
    #expect(folder.names == [])
  }

  @Test func afterItsCloseNothingIsWritten() throws {
    let folder = Folder()
    let journal = try folder.journal()
    journal.close()
    #expect(!journal.owe([1], "a", Self.body("1")))
    journal.done([1])
    journal.close()
    #expect(folder.names == [])
  }

  @Test func aFolderThatCannotBeIsSaidAtTheStart() {
    for (folder, why) in [
      ("/dev/null/x", "Not a directory"),
      ("/tmp/" + String(repeating: "x", count: 90), "the path has 117 bytes, the system takes 107"),
    ] {
      let error = #expect(throws: RouterError.self) { try Journal(folder: folder) { _ in } }
      let words = error?.description ?? ""
      #expect(words.hasPrefix("the journal's folder \(folder) cannot be used: "), "\(words)")
      #expect(words.contains(why), "\(words)")
      try? FileManager.default.removeItem(atPath: folder)
    }
  }
}
