import Foundation
import Glibc

/// Blocks of memory that stay, on pages of 2 MiB. Names that are looked up at random among a million
/// wait for the tables of small pages longer than for the memory itself.
enum LargePages {
  /// Smaller blocks gain nothing that could be measured.
  private static let leastBlock = 16 * 1024 * 1024
  private static let page: UInt = 2 * 1024 * 1024
  /// Since Linux 6.1; older ones refuse it, and the pages come by and by, or never.
  private static let collapse: Int32 = 25

  /// Puts what a large configuration has filled on large pages. Where the system has none, nothing
  /// changes: it is the speed alone that depends on them.
  static func adopt() {
    guard let maps = FileManager.default.contents(atPath: "/proc/self/smaps") else { return }
    for block in blocks(in: String(decoding: maps, as: UTF8.self)) {
      guard let start = unsafe UnsafeMutableRawPointer(bitPattern: block.lowerBound) else {
        continue
      }
      unsafe madvise(start, Int(block.count), MADV_HUGEPAGE)
      unsafe madvise(start, Int(block.count), collapse)
    }
  }

  /// The large private blocks of a process that are filled nearly to their ends, in whole pages;
  /// `maps` as Linux writes /proc/PID/smaps. One with holes would take more memory than before.
  static func blocks(in maps: String) -> [Range<UInt>] {
    var blocks: [Range<UInt>] = []
    var current: Range<UInt>?
    for line in maps.split(separator: "\n") {
      let words = line.split(separator: " ")
      if let range = words.first.flatMap(addresses) {
        let isPrivateMemory = words.count == 5 && words[1] == "rw-p" && words[4] == "0"
        current = isPrivateMemory && range.count >= leastBlock ? range : nil
      } else if words.count == 3, words[0] == "Rss:", let range = current,
        let resident = Int(words[1]), resident * 1024 >= range.count / 10 * 9
      {
        let first = (range.lowerBound + page - 1) / page * page
        let last = range.upperBound / page * page
        if first < last { blocks.append(first..<last) }
      }
    }
    return blocks
  }

  /// `7f0000000000-7f0000200000`.
  private static func addresses(_ word: Substring) -> Range<UInt>? {
    let ends = word.split(separator: "-", omittingEmptySubsequences: false)
    guard ends.count == 2, let first = UInt(ends[0], radix: 16), let end = UInt(ends[1], radix: 16),
      first < end
    else { return nil }
    return first..<end
  }
}
