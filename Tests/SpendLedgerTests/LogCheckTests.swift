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

    init() throws {
      let fixture = try LedgerFixture()
      for index in 0..<LogCheckTests.commits {
        #expect(fixture.record(PicoUSD(pico: 1), key: "key-\(index)") == .recorded)
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

  @Test func aFlippedBitInTheHeaderIsFound() throws {
    let killed = try Killed()
    for byte in 0..<32 {
      var log = killed.log
      log[byte] ^= 0x10
      #expect(try killed.keys(log: log) ?? Self.commits == Self.commits, "byte \(byte)")
    }
  }
}
