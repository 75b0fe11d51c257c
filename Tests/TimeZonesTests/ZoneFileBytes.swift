import BudgetModel

/// A zone's compiled file, made by hand: right unless a field is set that makes it wrong.
struct ZoneFileBytes {
  var version = UInt8(ascii: "2")
  var offsets: [Int32] = [3_600, 7_200]
  /// When, and the index of the offset from then on.
  var transitions: [(at: Int64, index: UInt8)] = [(100, 1), (200, 0)]
  var leapSeconds = 0
  var footer = "\n\n"
  /// Of the first block, in place of the right number of times.
  var saidTimes: UInt32?

  var bytes: [UInt8] {
    var bytes = block(version: version, wide: false)
    if version != 0 {
      bytes += block(version: version, wide: true)
      bytes += footer.utf8
    }
    return bytes
  }

  private func block(version: UInt8, wide: Bool) -> [UInt8] {
    let shown = wide || version == 0 ? transitions : []
    let counts: [UInt32] = [
      0, 0, UInt32(leapSeconds), saidTimes ?? UInt32(shown.count), UInt32(offsets.count), 4,
    ]
    var bytes = Array("TZif".utf8) + [version] + [UInt8](repeating: 0, count: 15)
    for count in counts { bytes += big(UInt64(count), 4) }
    for transition in shown { bytes += big(UInt64(bitPattern: transition.at), wide ? 8 : 4) }
    bytes += shown.map(\.index)
    for offset in offsets {
      bytes += big(UInt64(UInt32(bitPattern: offset)), 4) + [0, 0]
    }
    bytes += Array("ABC".utf8) + [0]
    bytes += [UInt8](repeating: 0, count: leapSeconds * (wide ? 12 : 8))
    return bytes
  }

  private func big(_ word: UInt64, _ width: Int) -> [UInt8] {
    (0..<width).map { UInt8(truncatingIfNeeded: word >> (8 * UInt64(width - 1 - $0))) }
  }
}
