import Foundation

/// Looks through the write-ahead log for damage that SQLite would take for a torn end.
///
/// SQLite reads a log up to the first frame whose checksum is wrong and forgets the rest: right for
/// a crash in the middle of the last transaction, and a silent loss of acknowledged records where a
/// bit has flipped before it. The two differ: a transaction is written only after the one before it
/// was synced, so a torn end is within the last transaction. Whatever of the same generation
/// follows a whole transaction behind the fault says that the fault is damage.
enum LogCheck {
  /// The damage of the log at `path`; nil: there is none, or no log.
  static func finding(_ path: String) -> String? {
    guard let file = FileManager.default.contents(atPath: path), file.count > headerBytes else {
      return nil
    }
    return Log(bytes: Array(file)).finding
  }

  static let headerBytes = 32
  static let frameHeaderBytes = 24
}

/// The log's bytes and what its header says of them.
private struct Log {
  private let bytes: [UInt8]
  private let pageSize: Int
  private let isBigEndian: Bool
  /// Each frame of this generation carries these.
  private let salts: (UInt32, UInt32)
  private let isHeaderWhole: Bool
  private let headerSum: Checksum

  init(bytes: [UInt8]) {
    self.bytes = bytes
    let magic = Self.number(bytes, 0)
    isBigEndian = magic & 1 == 1
    pageSize = Int(Self.number(bytes, 8))
    salts = (Self.number(bytes, 16), Self.number(bytes, 20))
    headerSum = Checksum(Self.number(bytes, 24), Self.number(bytes, 28))
    var sum = Checksum(0, 0)
    sum.add(bytes, 0..<24, isBigEndian: isBigEndian)
    isHeaderWhole = magic & ~1 == 0x377F_0682 && sum == headerSum
  }

  /// Nil where the log is whole up to a torn end.
  var finding: String? {
    let isSize = pageSize >= 512 && pageSize <= 65_536 && pageSize & (pageSize - 1) == 0
    guard isHeaderWhole, isSize else {
      // A header that was torn while the log began anew has salts that no frame behind it has, and
      // a checksum that none goes on from.
      let hasFrames =
        isOfThisGeneration(0, of: isSize ? pageSize : 4_096) || (isSize && goesOn(from: headerSum))
      return hasFrames ? "the log's header has changed, and records stand behind it" : nil
    }
    let count = (bytes.count - LogCheck.headerBytes) / frameBytes(of: pageSize)
    guard let (fault, sum) = firstFault(count) else { return nil }
    let end =
      wasCommit(fault, after: sum)
      ? fault
      : (fault..<count).first { isOfThisGeneration($0, of: pageSize) && isCommit($0) }
    guard let end, end + 1 < count, isOfThisGeneration(end + 1, of: pageSize) else { return nil }
    return "frame \(fault + 1) of the log has changed, and later transactions stand behind it"
  }

  /// Whether the first frame's checksum goes on from `sum`.
  private func goesOn(from sum: Checksum) -> Bool {
    guard bytes.count >= offset(1, of: pageSize) else { return false }
    return self.sum(sum, throughFrame: 0) == writtenSum(0)
  }

  private func sum(_ sum: Checksum, throughFrame frame: Int) -> Checksum {
    var sum = sum
    let start = offset(frame, of: pageSize)
    sum.add(bytes, start..<start + 8, isBigEndian: isBigEndian)
    let page = start + LogCheck.frameHeaderBytes
    sum.add(bytes, page..<page + pageSize, isBigEndian: isBigEndian)
    return sum
  }

  private func writtenSum(_ frame: Int) -> Checksum {
    let start = offset(frame, of: pageSize)
    return Checksum(Self.number(bytes, start + 16), Self.number(bytes, start + 20))
  }

  /// The first frame that SQLite does not read, and the checksum up to it.
  private func firstFault(_ count: Int) -> (frame: Int, sum: Checksum)? {
    var sum = headerSum
    for frame in 0..<count {
      let before = sum
      sum = self.sum(sum, throughFrame: frame)
      if !hasBothSalts(frame) || sum != writtenSum(frame) { return (frame, before) }
    }
    return nil
  }

  /// Whether the frame ended a transaction before a single bit was lost: then its mark, the size of
  /// the database, had that bit alone. With it the frame's checksum is right.
  private func wasCommit(_ frame: Int, after sum: Checksum) -> Bool {
    guard hasBothSalts(frame), !isCommit(frame) else { return false }
    let start = offset(frame, of: pageSize)
    let page = start + LogCheck.frameHeaderBytes
    return (0..<32).contains { bit in
      var head = Array(bytes[start..<start + 8])
      head[4 + bit / 8] = 1 << UInt8(bit % 8)
      var sum = sum
      sum.add(head, 0..<8, isBigEndian: isBigEndian)
      sum.add(bytes, page..<page + pageSize, isBigEndian: isBigEndian)
      return sum == writtenSum(frame)
    }
  }

  private func frameBytes(of pageSize: Int) -> Int { LogCheck.frameHeaderBytes + pageSize }

  private func offset(_ frame: Int, of pageSize: Int) -> Int {
    LogCheck.headerBytes + frame * frameBytes(of: pageSize)
  }

  /// Whether the frame bears a salt of this generation. One of the two is enough: another
  /// generation has both others, and no torn write parts them, since they lie in eight aligned
  /// bytes. So a bit that has flipped in one of them does not hide the frame.
  private func isOfThisGeneration(_ frame: Int, of pageSize: Int) -> Bool {
    guard let found = foundSalts(frame, of: pageSize) else { return false }
    return found.0 == salts.0 || found.1 == salts.1
  }

  /// SQLite asks this of each frame that it reads.
  private func hasBothSalts(_ frame: Int) -> Bool {
    guard let found = foundSalts(frame, of: pageSize) else { return false }
    return found == salts
  }

  private func foundSalts(_ frame: Int, of pageSize: Int) -> (UInt32, UInt32)? {
    let start = offset(frame, of: pageSize)
    guard start + LogCheck.frameHeaderBytes <= bytes.count else { return nil }
    return (Self.number(bytes, start + 8), Self.number(bytes, start + 12))
  }

  private func isCommit(_ frame: Int) -> Bool {
    Self.number(bytes, offset(frame, of: pageSize) + 4) != 0
  }

  private static func number(_ bytes: [UInt8], _ offset: Int) -> UInt32 {
    UInt32(bytes[offset]) << 24 | UInt32(bytes[offset + 1]) << 16
      | UInt32(bytes[offset + 2]) << 8 | UInt32(bytes[offset + 3])
  }
}

/// SQLite's checksum over a log: two sums of 32-bit words, each taking in the other.
private struct Checksum: Equatable {
  private var first: UInt32
  private var second: UInt32

  init(_ first: UInt32, _ second: UInt32) {
    self.first = first
    self.second = second
  }

  /// Takes in `range`, whose length is a multiple of 8.
  mutating func add(_ bytes: [UInt8], _ range: Range<Int>, isBigEndian: Bool) {
    var offset = range.lowerBound
    while offset < range.upperBound {
      first &+= Self.word(bytes, offset, isBigEndian) &+ second
      second &+= Self.word(bytes, offset + 4, isBigEndian) &+ first
      offset += 8
    }
  }

  private static func word(_ bytes: [UInt8], _ offset: Int, _ isBigEndian: Bool) -> UInt32 {
    let word =
      UInt32(bytes[offset]) | UInt32(bytes[offset + 1]) << 8 | UInt32(bytes[offset + 2]) << 16
      | UInt32(bytes[offset + 3]) << 24
    return isBigEndian ? word.byteSwapped : word
  }
}
