/// The bytes of a journal, which the clients of all languages share: proto/clients/README.md has the
/// format.
enum JournalFormat {
  static let header = Array("budgetd journal 1\n".utf8)
  /// No entry is longer.
  private static let longestEntry = 1 << 20

  /// A record that is owed.
  struct Record: Hashable, Sendable {
    var key: [UInt8]
    /// The address that may have it; empty: none yet.
    var address: String
    /// Its request, without number and timeout.
    var body: [UInt8]
  }

  static func owed(_ address: String, _ body: [UInt8]) -> [UInt8] {
    let name = Array(address.utf8)
    return entry(
      [1, UInt8(truncatingIfNeeded: name.count >> 8), UInt8(name.count & 0xFF)] + name + body)
  }

  static func done(_ key: [UInt8]) -> [UInt8] { entry([2] + key) }

  private static func entry(_ payload: [UInt8]) -> [UInt8] {
    bytes(UInt32(payload.count)) + bytes(CRC32.sum(of: payload[...])) + payload
  }

  private static func bytes(_ number: UInt32) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * UInt32($0))) }
  }

  /// The records that a journal owes, in the order in which they were written, and how many entries
  /// could not be read though they were whole.
  static func read(_ bytes: [UInt8]) -> (records: [Record], unreadable: Int) {
    guard bytes.starts(with: header) else { return ([], 0) }
    var owed: [[UInt8]: (order: Int, record: Record)] = [:]
    var unreadable = 0
    var at = header.count
    while let payload = entry(in: bytes, at: &at) {
      let rest = payload.dropFirst()
      switch payload.first {
      case 2?: owed[Array(rest)] = nil
      case 1?:
        if let record = record(in: rest) {
          owed[record.key] = (at, record)
        } else {
          unreadable += 1
        }
      default: unreadable += 1
      }
    }
    return (owed.values.sorted { $0.order < $1.order }.map(\.record), unreadable)
  }

  /// The next whole entry; nil: the end of a process cut it short, or its sum is wrong.
  private static func entry(in bytes: [UInt8], at place: inout Int) -> ArraySlice<UInt8>? {
    guard bytes.count - place >= 8 else { return nil }
    func number(_ start: Int) -> UInt32 {
      bytes[start..<start + 4].reduce(0) { $0 << 8 | UInt32($1) }
    }
    let length = Int(number(place))
    let start = place + 8
    guard (1...longestEntry).contains(length), bytes.count - start >= length else { return nil }
    let payload = bytes[start..<start + length]
    guard CRC32.sum(of: payload) == number(place + 4) else { return nil }
    place = start + length
    return payload
  }

  private static func record(in entry: ArraySlice<UInt8>) -> Record? {
    guard entry.count >= 2 else { return nil }
    let count = Int(entry[entry.startIndex]) << 8 | Int(entry[entry.startIndex + 1])
    let rest = entry.dropFirst(2)
    guard rest.count >= count else { return nil }
    let body = Array(rest.dropFirst(count))
    guard let key = key(of: body) else { return nil }
    let address = String(decoding: rest.prefix(count), as: UTF8.self)
    return Record(key: key, address: address, body: body)
  }

  /// The idempotency key of a request that records; nil: it is not such a request.
  static func key(of body: [UInt8]) -> [UInt8]? {
    var fields = WireFields(body[...])
    while let field = fields.next() {
      guard field.number == 11, let message = field.bytes else { continue }
      var inner = WireFields(message)
      while let part = inner.next() {
        if part.number == 6, let key = part.bytes, !key.isEmpty { return Array(key) }
      }
    }
    return nil
  }
}

/// The fields of a message; ends where it is not one.
private struct WireFields {
  private var rest: ArraySlice<UInt8>

  init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

  /// The next field's number, and its bytes where it has a length.
  mutating func next() -> (number: UInt64, bytes: ArraySlice<UInt8>?)? {
    guard let key = varint() else { return nil }
    let length: UInt64
    switch key & 7 {
    case 0: return varint() == nil ? nil : (key >> 3, nil)
    case 1: length = 8
    case 5: length = 4
    case 2:
      guard let count = varint() else { return nil }
      length = count
    default: return nil
    }
    guard length <= rest.count else { return nil }
    let bytes = rest.prefix(Int(length))
    rest = rest.dropFirst(Int(length))
    return (key >> 3, key & 7 == 2 ? bytes : nil)
  }

  private mutating func varint() -> UInt64? {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 64, by: 7) {
      guard let byte = rest.popFirst() else { return nil }
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
    }
    return nil
  }
}

/// The CRC-32 of zlib.
enum CRC32 {
  private static let table: [UInt32] = (0..<256).map { index in
    (0..<8).reduce(UInt32(index)) { sum, _ in sum & 1 == 1 ? 0xEDB8_8320 ^ sum >> 1 : sum >> 1 }
  }

  static func sum(of bytes: ArraySlice<UInt8>) -> UInt32 {
    ~bytes.reduce(~0) { sum, byte in
      table[Int((sum ^ UInt32(byte)) & 0xFF)] ^ sum >> 8
    }
  }
}
