/// One pass over a request's bytes before protobuf-c sees them.
///
/// protobuf-c guards little by itself: it merges a repeated singular message in quadratic time
/// (20 s for 1 MiB), takes 60 times the frame in memory for floods of 2-byte fields, and checks no
/// wire type. What the walk lets through costs protobuf-c time and memory in proportion to the
/// frame. It allocates nothing, never looks twice at a byte of an accepted request, and goes no
/// deeper than the schema does.
struct WireWalk {
  /// The call id; 0 where none was met.
  private(set) var callID: UInt64 = 0
  /// The timeout; 0 where none was met.
  private(set) var timeoutMilliseconds: UInt32 = 0
  /// The method whose member is set, if any.
  private(set) var method: MethodName?

  /// Places to count a message's lists in, by field number: each list's is below.
  static let listPlaces = 8

  private let bounds: WireBounds
  private var unknownFields = 0

  private init(bounds: WireBounds) {
    self.bounds = bounds
  }

  /// Walks over `bytes`, one request without its header.
  static func walk(
    _ bytes: borrowing RawSpan, bounds: WireBounds
  ) throws(WireRefusal) -> WireWalk {
    var walk = WireWalk(bounds: bounds)
    do {
      try walk.walkMessage(.request, in: bytes, from: 0, to: bytes.byteCount, depth: 1)
    } catch {
      let callID = walk.callID != 0 ? walk.callID : WireCursor.firstCallID(in: bytes)
      throw WireRefusal(callID: callID, fault: error)
    }
    return walk
  }

  /// Walks over the message at `start..<end`. Recursion is bounded by `bounds.maximumDepth`.
  private mutating func walkMessage(
    _ kind: MessageKind, in bytes: borrowing RawSpan, from start: Int, to end: Int, depth: Int
  ) throws(WireFault) {
    var seen: UInt32 = 0
    var counts = InlineArray<8, Int32>(repeating: 0)
    var start = start
    if let plain = PlainFields.of(kind) {
      start = plain.skip(
        in: bytes, from: start, to: end, seen: &seen, listed: &counts[Int(plain.list)])
      if start == end, kind == .deployment { return }
    }
    var cursor = WireCursor(at: start, end: end)
    while cursor.offset < end {
      let field = try cursor.nextField(in: bytes)
      guard let rule = FieldRule.rule(for: field.number, of: kind) else {
        unknownFields += 1
        if unknownFields > bounds.maximumUnknownFields {
          throw .tooManyUnknownFields(bound: bounds.maximumUnknownFields)
        }
        continue
      }
      let name = WireField(message: kind, number: field.number)
      if field.wireType != rule.wireType {
        throw .wrongWireType(name, given: field.wireType, expected: rule.wireType)
      }
      switch rule.occurrence {
      case .once:
        let bit: UInt32 = 1 << field.number
        if seen & bit != 0 { throw .givenTwice(name) }
        seen |= bit
      case .deployments, .tags, .list:
        counts[Int(field.number)] += 1
      }
      if kind == .request { try note(field) }
      if rule.holdsMessage {
        if depth >= bounds.maximumDepth { throw .tooDeep(name, bound: bounds.maximumDepth) }
        try walkMessage(
          rule.inner, in: bytes, from: field.start, to: cursor.offset, depth: depth + 1)
      }
    }
    if kind != .deployment, kind != .request { try judge(counts, of: kind) }
  }

  /// Takes what the envelope says about itself.
  private mutating func note(_ field: WireCursor.Field) throws(WireFault) {
    switch field.number {
    case 1: callID = field.value
    case 2: timeoutMilliseconds = UInt32(truncatingIfNeeded: field.value)
    default:
      guard let second = MethodName(rawValue: UInt8(truncatingIfNeeded: field.number)) else {
        return
      }
      if let first = method { throw .twoMethods(first: first, second: second) }
      method = second
    }
  }

  /// Judges the lists of a message when all of it was seen, so that the sentence gives the number
  /// of entries that were sent.
  private func judge(
    _ counts: InlineArray<8, Int32>, of kind: MessageKind
  ) throws(WireFault) {
    for number in 1..<Self.listPlaces where counts[number] != 0 {
      let bound =
        switch FieldRule.rule(for: UInt32(number), of: kind)?.occurrence {
        case .deployments: bounds.maximumDeployments
        case .tags: bounds.maximumTags
        default: bounds.maximumListEntries
        }
      if Int(counts[number]) > bound {
        throw .tooMany(
          WireField(message: kind, number: UInt32(number)), count: Int(counts[number]),
          bound: bound)
      }
    }
  }
}
