public import BudgetModel
import Digest

/// Computes the `RecordKey` of a request: `begin`, `addTag` for each tag, `key`. A value with buffers
/// that are reused from request to request; each lane has its own.
public struct RecordKeyMaker: Sendable {
  private var text = FingerprintText()
  private var tags: [UInt8] = []
  private var ranges: [Range<Int>] = []

  /// Makes one without tags.
  public init() {}

  /// Forgets the tags of the request before.
  public mutating func begin() {
    tags.removeAll(keepingCapacity: true)
    ranges.removeAll(keepingCapacity: true)
  }

  /// Adds a tag of the request; order and repetition do not matter, an absent one is ignored.
  public mutating func addTag(_ tag: NameBytes) {
    guard !tag.isEmpty else { return }
    let start = tags.count
    tag.append(to: &tags)
    ranges.append(start..<tags.count)
  }

  /// The record's key, of the idempotency key's identity and the request's own fields.
  public mutating func key(_ identity: KeyIdentity, of fields: RecordFields) -> RecordKey {
    write(fields)
    return identity.key(with: text)
  }

  /// What the last fingerprint was made of.
  public var fingerprintText: FingerprintText { text }

  private mutating func write(_ fields: RecordFields) {
    text.shrink()
    text.bytes.removeAll()
    text.bytes.append(bytesOf: FingerprintText.version)
    append(fields.provider)
    append(fields.deploymentID)
    append(fields.model)
    append(fields.reservationID)
    text.costOffset = text.bytes.count
    text.bytes.append(bytesOf: fields.cost.pico.littleEndian)
    sortTags()
    append(count: ranges.count)
    for range in ranges {
      append(count: range.count)
      NameBytes.with(tags) { text.bytes.append($0[range]) }
    }
  }

  private mutating func append(_ name: NameBytes) {
    append(count: name.count)
    text.bytes.append(name)
  }

  private mutating func append(count: Int) {
    text.bytes.append(bytesOf: UInt32(truncatingIfNeeded: count).littleEndian)
  }

  /// Tags in the order of their bytes, each once.
  private mutating func sortTags() {
    guard ranges.count > 1 else { return }
    if ranges.count <= 8 {
      // Nearly always a few: moved into place one by one.
      for end in 1..<ranges.count {
        var index = end
        while index > 0, precedes(ranges[index], ranges[index - 1]) {
          ranges.swapAt(index, index - 1)
          index -= 1
        }
      }
    } else {
      let unsorted = self
      ranges.sort { unsorted.precedes($0, $1) }
    }
    var kept = 1
    for index in 1..<ranges.count where precedes(ranges[kept - 1], ranges[index]) {
      ranges[kept] = ranges[index]
      kept += 1
    }
    ranges.removeLast(ranges.count - kept)
  }

  /// Whether one tag comes before another, byte by byte.
  private func precedes(_ first: Range<Int>, _ second: Range<Int>) -> Bool {
    let shared = min(first.count, second.count)
    for offset in 0..<shared {
      let (a, b) = (tags[first.lowerBound + offset], tags[second.lowerBound + offset])
      if a != b { return a < b }
    }
    return first.count < second.count
  }
}
