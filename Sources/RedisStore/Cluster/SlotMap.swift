/// The slot of a key in a Redis cluster: CRC-16 (XMODEM) of the key, or of its hash tag.
public enum RedisSlot {
  /// How many slots a cluster has.
  public static let count = 16_384

  /// The slot of a key.
  public static func of(_ key: [UInt8]) -> Int {
    var crc: UInt16 = 0
    for byte in hashed(key) {
      crc = (crc << 8) ^ table[Int(UInt8(truncatingIfNeeded: crc >> 8) ^ byte)]
    }
    return Int(crc) % count
  }

  /// The part between the first `{` and the next `}`, unless nothing is there: then all of the key.
  private static func hashed(_ key: [UInt8]) -> ArraySlice<UInt8> {
    guard let open = key.firstIndex(of: UInt8(ascii: "{")),
      let close = key[open...].firstIndex(of: UInt8(ascii: "}")), close > open + 1
    else { return key[...] }
    return key[(open + 1)..<close]
  }

  private static let table: [UInt16] = (0..<256).map { byte in
    var crc = UInt16(byte) << 8
    for _ in 0..<8 { crc = crc & 0x8000 != 0 ? (crc << 1) ^ 0x1021 : crc << 1 }
    return crc
  }
}

/// Which master of a cluster has which slots, as one of its nodes told.
struct SlotMap: Equatable {
  /// More masters are refused: a pass asks each of them.
  static let nodeBound = 64

  /// The masters, in the order in which they were told.
  private(set) var nodes: [RedisAddress] = []
  /// The place in `nodes` of each slot's master; -1: nobody has it.
  private var owners = [Int8](repeating: -1, count: RedisSlot.count)

  /// Nodes that are known by name, by the other addresses that they have: redirects go by those.
  private var names: [RedisAddress: RedisAddress] = [:]
  /// More names are not kept: a redirect to one of the others goes by its address.
  private static let nameBound = 1_024

  /// Knows no master.
  init() {}

  /// The master that has a slot; nil: none is known.
  func owner(of slot: Int) -> RedisAddress? {
    let place = owners[slot]
    return place < 0 ? nil : nodes[Int(place)]
  }

  /// The node at an address that another one told: by its name, where nodes are known by names.
  func node(at told: RedisAddress) -> RedisAddress { names[told] ?? told }

  /// A node said that another one has the slot. False: that would be one master too many.
  mutating func move(_ slot: Int, to told: RedisAddress) -> Bool {
    guard owners.indices.contains(slot), let place = place(of: node(at: told)) else { return false }
    owners[slot] = place
    return true
  }

  private mutating func place(of node: RedisAddress) -> Int8? {
    if let known = nodes.firstIndex(of: node) { return Int8(known) }
    guard nodes.count < Self.nodeBound else { return nil }
    nodes.append(node)
    return Int8(nodes.count - 1)
  }
}

extension SlotMap {
  /// Reads the answer to `CLUSTER SLOTS`. `asked` is the node that gave it: one whose host is not told
  /// is that one. `byName`: nodes are known by the host's name that they announce, where they do, since
  /// a certificate bears it.
  init(_ reply: RedisValue, from asked: RedisAddress, byName: Bool) throws(RedisError) {
    guard let rows = reply.array else {
      if let refusal = reply.refusal { throw .refused(command: "CLUSTER SLOTS", refusal) }
      throw .protocolViolation("CLUSTER SLOTS was answered with something else than a list")
    }
    for row in rows {
      guard let fields = row.array, fields.count >= 3, let first = fields[0].integer,
        let last = fields[1].integer, first >= 0, first <= last, last < RedisSlot.count,
        let master = ToldNode(fields[2], asked, byName: byName)
      else { throw .protocolViolation("a row of CLUSTER SLOTS names no slots or no node") }
      guard let place = place(of: master.node) else {
        throw .replyTooLarge("a cluster of more than \(Self.nodeBound) masters")
      }
      for slot in first...last { owners[Int(slot)] = place }
      note(master)
      guard byName else { continue }
      // A replica that becomes the master is redirected to before it stands in a map.
      for field in fields[3...] { ToldNode(field, asked, byName: true).map { note($0) } }
    }
    guard !nodes.isEmpty else {
      throw .connect(asked, reason: "this node knows of nobody who has any slots of its cluster")
    }
  }

  private mutating func note(_ told: ToldNode) {
    for address in told.addresses where names.count < Self.nameBound {
      names[address] = told.node
    }
  }
}

/// A node as a row of CLUSTER SLOTS tells it: `[host, port, id, [name, value ...]]`. The host is missing,
/// empty or `?` where it is not told.
private struct ToldNode {
  let node: RedisAddress
  /// Its other addresses, where it is known by its name.
  let addresses: [RedisAddress]

  init?(_ value: RedisValue, _ asked: RedisAddress, byName: Bool) {
    guard let fields = value.array, fields.count >= 2, let number = fields[1].integer,
      let port = UInt16(exactly: number), port > 0
    else { return nil }
    let host = Self.text(fields[0])
    let details = byName && fields.count > 3 ? (fields[3].array ?? []).map(Self.text) : []
    let name = Self.detail("hostname", of: details)
    guard let node = RedisAddress(host: name ?? host, port: port, besides: asked) else {
      return nil
    }
    self.node = node
    let others = name == nil ? [] : [host, Self.detail("ip", of: details) ?? ""]
    addresses = others.filter { !$0.isEmpty && $0 != "?" }.compactMap {
      RedisAddress(host: $0, port: port, besides: asked)
    }
  }

  private static func detail(_ name: String, of details: [String]) -> String? {
    guard let place = details.firstIndex(of: name), place + 1 < details.count else { return nil }
    return details[place + 1].isEmpty ? nil : details[place + 1]
  }

  private static func text(_ value: RedisValue) -> String {
    value.bytes.map { String(decoding: $0, as: UTF8.self) } ?? ""
  }
}

extension RedisAddress {
  /// The address of a node as another one, `asked`, tells it; nil: it cannot be one.
  init?(host: String, port: UInt16, besides asked: RedisAddress) {
    guard host.utf8.count <= 255, host.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else {
      return nil
    }
    if !host.isEmpty, host != "?" {
      self = .tcp(host: host, port: port)
    } else if case .tcp(let known, _) = asked {
      self = .tcp(host: known, port: port)
    } else {
      return nil
    }
  }
}

/// `MOVED 3999 127.0.0.1:6381` or `ASK ...`: which node to turn to.
struct RedisRedirect: Equatable {
  var slot: Int
  var node: RedisAddress

  /// Reads a refusal of the node at `asked`; nil: it names no node.
  init?(_ refusal: RedisRefusal, from asked: RedisAddress) {
    let words = refusal.text.split(separator: " ")
    guard words.count >= 3, let slot = Int(words[1]), (0..<RedisSlot.count).contains(slot),
      let colon = words[2].lastIndex(of: ":"),
      let port = UInt16(words[2][words[2].index(after: colon)...]), port > 0,
      let node = RedisAddress(host: String(words[2][..<colon]), port: port, besides: asked)
    else { return nil }
    self.slot = slot
    self.node = node
  }
}
