import BudgetModel
import Foundation
import SeededRandom
import Testing

@testable import SpendLedger

/// The log that a kill leaves behind: a torn end is one thing, a flipped bit another.
@Suite struct LogCheckTests {
  private static let commits = 12

  /// A database and its log as a kill leaves them, after so many commits of one record each.
  private struct Killed {
    let database: Data
    let log: Data
    let path: String

    static let frameBytes = LogCheck.frameHeaderBytes + 4_096

    static func offset(_ frame: Int) -> Int { LogCheck.headerBytes + frame * frameBytes }

    /// Pages of the database after the transaction that the frame ends; 0: it ends none.
    func pages(_ frame: Int) -> Int {
      log[(Self.offset(frame) + 4)..<(Self.offset(frame) + 8)].reduce(0) { $0 << 8 | Int($1) }
    }

    func isCommit(_ frame: Int) -> Bool { pages(frame) > 0 }

    func finding(log: Data) throws -> String? {
      let file = LedgerFixture.temporaryPath()
      defer { try? FileManager.default.removeItem(atPath: file) }
      try log.write(to: URL(filePath: file))
      return LogCheck.finding(file)
    }

    /// `untilPages`: commits go on until the last but one leaves so many pages.
    init(untilPages pages: Int = 0) throws {
      let fixture = try LedgerFixture { $0.checkpointBytes = .max }
      fixture.probe.fail(.checkpoint, code: 13, times: .max)
      for index in 0..<LogCheckTests.commits {
        #expect(fixture.record(PicoUSD(pico: 1), key: "key-\(index)") == .recorded)
      }
      let file = URL(filePath: fixture.directory).appending(path: "ledger.sqlite-wal")
      for index in 0..<2_000 where pages > 0 {
        let log = try Data(contentsOf: file)
        let end = log.count - Self.frameBytes
        let found = log[(end + 4)..<(end + 8)].reduce(0) { $0 << 8 | Int($1) }
        #expect(fixture.record(PicoUSD(pico: 1), key: "more-\(index)") == .recorded)
        if found == pages { break }
      }
      path = LedgerFixture.temporaryPath()
      let source = URL(filePath: fixture.directory)
      database = try Data(contentsOf: source.appending(path: "ledger.sqlite"))
      log = try Data(contentsOf: source.appending(path: "ledger.sqlite-wal"))
    }

    /// Opens a ledger of these files; how many keys it has, nil where it is refused as damaged.
    func keys(log: Data) throws -> Int? {
      try? FileManager.default.removeItem(atPath: path)
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
      defer { try? FileManager.default.removeItem(atPath: path) }
      let folder = URL(filePath: path)
      try database.write(to: folder.appending(path: "ledger.sqlite"))
      try log.write(to: folder.appending(path: "ledger.sqlite-wal"))
      do throws(LedgerError) {
        let ledger = try SpendLedger.open(LedgerSettings(directory: path))
        defer { ledger.close() }
        return ledger.opening.keyCount
      } catch {
        guard case .damaged = error else { throw error }
        #expect(try Data(contentsOf: folder.appending(path: "ledger.sqlite")) == database)
        #expect(try Data(contentsOf: folder.appending(path: "ledger.sqlite-wal")) == log)
        return nil
      }
    }
  }

  @Test func aWholeLogAndEveryTornEndAreRead() throws {
    let killed = try Killed()
    #expect(try killed.keys(log: killed.log) == Self.commits)
    var seen: Set<Int> = []
    for count in stride(from: 0, to: killed.log.count, by: 1_531) {
      let keys = try killed.keys(log: killed.log.prefix(count))
      seen.insert(try #require(keys, "a log cut at \(count) is a torn one"))
    }
    #expect(seen.count > 3, "cuts fell into several commits: \(seen)")
  }

  @Test func aFlippedBitIsFoundOrCostsNoMoreThanATornEndWould() throws {
    let killed = try Killed()
    var random = SeededRandom(seed: UInt64.random(in: 0...UInt64.max))
    var found = 0
    for _ in 0..<200 {
      var log = killed.log
      let bit = Int.random(in: 0..<log.count * 8, using: &random)
      log[bit / 8] ^= 1 << UInt8(bit % 8)
      if let keys = try killed.keys(log: log) {
        #expect(keys >= Self.commits - 1, "seed \(random.seed), bit \(bit) of \(log.count * 8)")
      } else {
        found += 1
      }
    }
    #expect(found > 100, "seed \(random.seed): \(found) of 200 found")
  }

  /// A frame's header says which transaction it is of: a bit that has flipped there must not hide a
  /// transaction that was acknowledged.
  @Test func aFlippedBitInAFrameHeaderCostsNoMoreThanATornEndWould() throws {
    let killed = try Killed()
    let frames = (killed.log.count - LogCheck.headerBytes) / Killed.frameBytes
    let last = try #require((0..<frames - 1).last { killed.isCommit($0) })
    for frame in last - 4..<frames {
      for bit in 0..<LogCheck.frameHeaderBytes * 8 {
        var log = killed.log
        log[Killed.offset(frame) + bit / 8] ^= 1 << UInt8(bit % 8)
        let finding = try killed.finding(log: log)
        #expect(finding != nil || frame > last, "bit \(bit) of frame \(frame + 1) of \(frames)")
      }
    }
  }

  /// If the database has a power of two of pages, one bit is all of a commit's mark.
  @Test func aCommitThatLostItsMarkIsFound() throws {
    let killed = try Killed(untilPages: 16)
    let frames = (killed.log.count - LogCheck.headerBytes) / Killed.frameBytes
    let last = try #require((0..<frames - 1).last { killed.isCommit($0) })
    #expect(killed.pages(last) == 16)
    var log = killed.log
    log[Killed.offset(last) + 7] = 0
    #expect(try killed.finding(log: log) != nil)
    #expect(try killed.keys(log: log) == nil)
  }

  @Test func aFlippedBitInTheHeaderIsFound() throws {
    let killed = try Killed()
    for byte in 0..<32 {
      var log = killed.log
      log[byte] ^= 0x10
      #expect(try killed.keys(log: log) ?? Self.commits == Self.commits, "byte \(byte)")
    }
  }
}
