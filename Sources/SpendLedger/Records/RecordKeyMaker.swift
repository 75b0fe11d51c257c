public import BudgetModel
import Digest

/// Computes the `RecordKey` of a request: `begin`, `addTag` for each tag, `key`. A value with
/// buffers that are reused from request to request; each lane has its own.
public struct RecordKeyMaker: Sendable {
  private var text: [UInt8] = []
  private var tags: [UInt8] = []
  private var ranges: [Range<Int>] = []

  /// The longest key, in bytes.
  public static let maximumKeyLength = 256

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

  /// The key of the request. Precondition: `key` has 1 to 256 bytes.
  public mutating func key(_ key: NameBytes, of fields: RecordFields) -> RecordKey {
    precondition(
      (1...Self.maximumKeyLength).contains(key.count), "a key of 0 or more than 256 bytes")
    text.removeAll(keepingCapacity: true)
    key.append(to: &text)
    let digest = SHA256Digest.prefix(of: text)
    let madeAt = Self.uuidTime(of: text)
    return RecordKey(digest: digest, fingerprint: fingerprint(of: fields), madeAt: madeAt)
  }

  /// SHA-256 over a text in which every field has its length before it, so that no two requests
  /// have the same text; the first byte is the version of this rule.
  private mutating func fingerprint(of fields: RecordFields) -> UInt128 {
    text.removeAll(keepingCapacity: true)
    text.append(1)
    for name in [fields.provider, fields.deploymentID, fields.model, fields.reservationID] {
      append(count: name.count)
      name.append(to: &text)
    }
    var pico = fields.cost.pico
    for _ in 0..<16 {
      text.append(UInt8(truncatingIfNeeded: pico))
      pico >>= 8
    }
    sortTags()
    append(count: ranges.count)
    for range in ranges {
      append(count: range.count)
      text.append(contentsOf: tags[range])
    }
    return SHA256Digest.prefix(of: text)
  }

  /// Tags in the order of their bytes, each once.
  private mutating func sortTags() {
    guard ranges.count > 1 else { return }
    let bytes = tags
    if ranges.count <= 8 {
      // Nearly always a few: moved into place one by one.
      for end in 1..<ranges.count {
        var index = end
        while index > 0, bytes[ranges[index]].lexicographicallyPrecedes(bytes[ranges[index - 1]]) {
          ranges.swapAt(index, index - 1)
          index -= 1
        }
      }
    } else {
      ranges.sort { bytes[$0].lexicographicallyPrecedes(bytes[$1]) }
    }
    var kept = 1
    for index in 1..<ranges.count where !bytes[ranges[index]].elementsEqual(bytes[ranges[kept - 1]])
    {
      ranges[kept] = ranges[index]
      kept += 1
    }
    ranges.removeLast(ranges.count - kept)
  }

  private mutating func append(count: Int) {
    for shift in [0, 8, 16, 24] { text.append(UInt8(truncatingIfNeeded: count >> shift)) }
  }

  /// The time in a UUIDv7's text. Only the usual form with four hyphens counts: any 32 hexadecimal
  /// digits, say an MD5, would be taken for a UUIDv7 once in 64 times, and be refused for its age.
  static func uuidTime(of key: [UInt8]) -> Timestamp? {
    guard key.count == 36 else { return nil }
    var time: Int64 = 0
    for (index, byte) in key.enumerated() {
      if [8, 13, 18, 23].contains(index) {
        guard byte == UInt8(ascii: "-") else { return nil }
        continue
      }
      guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { return nil }
      if index == 14, digit != 7 { return nil }
      if index == 19, digit & 0b1100 != 0b1000 { return nil }
      if index < 13 { time = time << 4 | Int64(digit) }
    }
    return Timestamp(unixMilliseconds: time)
  }
}
