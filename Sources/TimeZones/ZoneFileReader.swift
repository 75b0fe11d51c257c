import BudgetModel

/// Reads a zone's compiled file (TZif, RFC 8536 and 9636, versions 1 to 4). It trusts nothing in it.
///
/// Of a file with two blocks the second counts, whose times have 64 bits. Local time's names and the
/// marks of standard time are passed over: windows ask for the offset alone.
struct ZoneFileReader {
  private let name: String
  private var rest: ArraySlice<UInt8>

  private init(name: String, rest: ArraySlice<UInt8>) {
    self.name = name
    self.rest = rest
  }

  /// The zone that the file is of.
  static func table(named name: String, in bytes: [UInt8]) throws(ZoneError) -> ZoneTable {
    var reader = ZoneFileReader(name: name, rest: bytes[...])
    var header = try reader.header()
    guard header.version != 0 else {
      let block = try reader.block(header)
      return ZoneTable(
        name: name, firstOffset: block.firstOffset, transitions: block.changes(after: []))
    }
    _ = try reader.bytes(header.size)
    header = try reader.header()
    header.timeBytes = 8
    let block = try reader.block(header)
    let rule = try reader.rule()
    // Without any transition the rule holds for all times: here, for those that windows may be of.
    let last = block.transitions.last?.at ?? LocalTimeRule.beginning
    let coming = rule?.transitions(after: last) ?? []
    return ZoneTable(
      name: name, firstOffset: block.firstOffset, transitions: block.changes(after: coming))
  }

  private struct Header {
    var version: UInt8
    var timeBytes = 4
    var marks: Int
    var leapSeconds: Int
    var times: Int
    var types: Int
    var letters: Int

    /// How many bytes follow. Six numbers of 32 bits do not leave 64.
    var size: Int {
      times * (timeBytes + 1) + types * 6 + letters + leapSeconds * (timeBytes + 4) + marks
    }
  }

  private struct Block {
    var firstOffset: Int32
    var transitions: [ZoneTable.Transition]

    /// The transitions of the file and those that come, without those that change a name only.
    func changes(after coming: [ZoneTable.Transition]) -> [ZoneTable.Transition] {
      var offset = firstOffset
      return (transitions + coming).filter { transition in
        defer { offset = transition.offset }
        return transition.offset != offset
      }
    }
  }

  private mutating func header() throws(ZoneError) -> Header {
    guard try bytes(4).elementsEqual("TZif".utf8) else {
      throw unreadable("it does not begin with 'TZif' where a block begins")
    }
    let version = try bytes(16).first ?? 0
    guard version == 0 || version >= UInt8(ascii: "2") else {
      throw unreadable("its version is the byte \(version)")
    }
    let universal = try count()
    let standard = try count()
    return Header(
      version: version, marks: universal + standard, leapSeconds: try count(), times: try count(),
      types: try count(), letters: try count())
  }

  private mutating func block(_ header: Header) throws(ZoneError) -> Block {
    var body = ZoneFileReader(name: name, rest: try bytes(header.size))
    guard header.leapSeconds == 0 else {
      throw unreadable("it counts leap seconds, as files in 'right' do")
    }
    guard header.types > 0 else { throw unreadable("it has no local time") }
    var times: [Int64] = []
    for _ in 0..<header.times { times.append(try body.integer(header.timeBytes)) }
    let indices = try body.bytes(header.times)
    var offsets: [Int32] = []
    for _ in 0..<header.types {
      let offset = try body.integer(4)
      guard abs(offset) < ZoneTable.offsetBound else {
        throw unreadable("it has an offset of \(offset) s, 26 h or more")
      }
      offsets.append(Int32(offset))
      _ = try body.bytes(2)
    }
    var transitions: [ZoneTable.Transition] = []
    for (time, index) in zip(times, indices) {
      guard offsets.indices.contains(Int(index)) else {
        throw unreadable("a transition is to local time \(index) of \(offsets.count)")
      }
      guard time > transitions.last?.at ?? .min else {
        throw unreadable("its transitions are not in order")
      }
      transitions.append(ZoneTable.Transition(at: time, offset: offsets[Int(index)]))
    }
    return Block(firstOffset: offsets[0], transitions: transitions)
  }

  /// The last line, which may be empty.
  private mutating func rule() throws(ZoneError) -> LocalTimeRule? {
    let feed = UInt8(ascii: "\n")
    guard try bytes(1).first == feed, let end = rest.firstIndex(of: feed) else {
      throw unreadable("it does not end with a line")
    }
    let line = rest[..<end]
    guard !line.isEmpty else { return nil }
    guard let rule = LocalTimeRule(line) else {
      let text = String(decoding: line, as: UTF8.self).printable(upTo: 64)
      throw unreadable("its last line '\(text)' is not a rule")
    }
    return rule
  }

  private mutating func count() throws(ZoneError) -> Int {
    Int(UInt32(truncatingIfNeeded: try integer(4)))
  }

  /// A signed number, the high byte first.
  private mutating func integer(_ width: Int) throws(ZoneError) -> Int64 {
    let word = try bytes(width).reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
    return width == 4 ? Int64(Int32(truncatingIfNeeded: word)) : Int64(bitPattern: word)
  }

  private mutating func bytes(_ count: Int) throws(ZoneError) -> ArraySlice<UInt8> {
    guard count <= rest.count else { throw unreadable("it ends too early") }
    defer { rest = rest.dropFirst(count) }
    return rest.prefix(count)
  }

  private func unreadable(_ reason: String) -> ZoneError {
    .unreadable(name: name, reason: reason)
  }
}
