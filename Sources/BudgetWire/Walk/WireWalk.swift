import BudgetModel

/// One pass over a request's bytes before protobuf-c sees them: the envelope's, then the message's.
///
/// protobuf-c guards little by itself: it merges a repeated singular message in quadratic time
/// (20 s for 1 MiB), takes 60 times the frame in memory for floods of 2-byte fields, and checks no
/// wire type. A message that the walk lets through costs protobuf-c time and memory in proportion
/// to the frame. The walk allocates nothing, never looks twice at a byte of an accepted message, and
/// goes no deeper than the schema does. The rules of the fields are generated: `FieldRule`.
struct WireWalk {
  private let bounds: WireBounds
  private var unknownFields: Int

  private init(bounds: WireBounds, unknownFields: Int) {
    self.bounds = bounds
    self.unknownFields = unknownFields
  }

  /// Walks over the envelope of `frame`, one request without its header, and over no message in it.
  static func head(of frame: RawSpan, bounds: WireBounds) throws(WireRefusal) -> RequestHead {
    let length = frame.byteCount
    guard length <= bounds.maximumRequestBytes else {
      throw WireRefusal(
        callID: 0, fault: .frameTooLong(length: length, bound: bounds.maximumRequestBytes))
    }
    var walk = WireWalk(bounds: bounds, unknownFields: 0)
    var head = Head()
    do {
      try walk.walkEnvelope(frame, into: &head)
    } catch {
      let callID = head.callID != 0 ? head.callID : WireCursor.firstCallID(in: frame)
      throw WireRefusal(callID: callID, fault: error)
    }
    guard head.callID != 0 || length == 0 else {
      throw WireRefusal(callID: 0, fault: .noCallID)
    }
    return RequestHead(
      callID: head.callID, timeoutMilliseconds: head.timeoutMilliseconds, method: head.method,
      in: frame, message: head.message, unknownFields: walk.unknownFields)
  }

  /// Walks over the method's message of `head`.
  static func judge(_ head: RequestHead, bounds: WireBounds) throws(WireFault) {
    guard let kind = head.method?.messageKind else { return }
    var walk = WireWalk(bounds: bounds, unknownFields: head.unknownFields)
    var fault: WireFault?
    head.message.withBytes { bytes in
      do throws(WireFault) {
        try walk.walkMessage(kind, in: bytes, from: 0, to: bytes.byteCount, depth: 2)
      } catch {
        fault = error.offset(by: head.messageOffset)
      }
    }
    if let fault { throw fault }
  }

  /// The envelope's own fields, and the place of the method's message.
  private struct Head {
    var callID: UInt64 = 0
    var timeoutMilliseconds: UInt32 = 0
    var method: MethodName?
    var message = 0..<0
  }

  private mutating func walkEnvelope(
    _ bytes: borrowing RawSpan, into head: inout Head
  ) throws(WireFault) {
    var seen: FieldSet = 0
    var cursor = WireCursor(at: 0, end: bytes.byteCount)
    while cursor.offset < bytes.byteCount {
      let field = try cursor.nextField(in: bytes)
      guard let rule = try rule(of: field, in: .request) else { continue }
      try note(field, at: rule.place, seen: &seen, in: .request)
      switch field.number {
      case 1: head.callID = field.value
      case 2: head.timeoutMilliseconds = UInt32(truncatingIfNeeded: field.value)
      default:
        guard let second = UInt8(exactly: field.number).flatMap(MethodName.init) else { continue }
        if let first = head.method { throw .twoMethods(first: first, second: second) }
        head.method = second
        head.message = field.start..<cursor.offset
      }
    }
  }

  /// Walks over the message at `start..<end`. Recursion is bounded by `bounds.maximumDepth`.
  private mutating func walkMessage(
    _ kind: MessageKind, in bytes: borrowing RawSpan, from start: Int, to end: Int, depth: Int
  ) throws(WireFault) {
    var seen: FieldSet = 0
    var counts = ListCounts(repeating: 0)
    var start = start
    if let plain = PlainFields.of(kind) {
      start = plain.skip(
        in: bytes, from: start, to: end, seen: &seen, listed: &counts[plain.listPlace])
      if start == end, kind == .deployment { return }
    }
    var cursor = WireCursor(at: start, end: end)
    while cursor.offset < end {
      let field = try cursor.nextField(in: bytes)
      guard let rule = try rule(of: field, in: kind) else { continue }
      if rule.occurrence == .once {
        try note(field, at: rule.place, seen: &seen, in: kind)
      } else {
        counts[Int(rule.place)] += 1
      }
      if rule.holdsMessage {
        if depth >= bounds.maximumDepth {
          throw .tooDeep(
            WireField(message: kind, number: field.number), bound: bounds.maximumDepth)
        }
        try walkMessage(
          rule.inner, in: bytes, from: field.start, to: cursor.offset, depth: depth + 1)
      }
    }
    if kind != .deployment { try judge(counts, of: kind) }
  }

  /// The rule of a field; nil, and counted, where the schema does not know it.
  @inline(__always)
  private mutating func rule(
    of field: WireCursor.Field, in kind: MessageKind
  ) throws(WireFault) -> FieldRule? {
    guard let rule = FieldRule.rule(for: field.number, of: kind) else {
      unknownFields += 1
      if unknownFields > bounds.maximumUnknownFields {
        throw .tooManyUnknownFields(bound: bounds.maximumUnknownFields)
      }
      return nil
    }
    if field.wireType != rule.wireType {
      throw .wrongWireType(
        WireField(message: kind, number: field.number), given: field.wireType,
        expected: rule.wireType)
    }
    return rule
  }

  /// Notes a field that may stand once.
  @inline(__always)
  private func note(
    _ field: WireCursor.Field, at place: UInt8, seen: inout FieldSet, in kind: MessageKind
  ) throws(WireFault) {
    let bit: FieldSet = 1 &<< FieldSet(place)
    if seen & bit != 0 { throw .givenTwice(WireField(message: kind, number: field.number)) }
    seen |= bit
  }

  /// Judges the lists of a message when all of it was seen, so that the sentence gives the number
  /// of entries that were sent.
  private func judge(_ counts: ListCounts, of kind: MessageKind) throws(WireFault) {
    for place in counts.indices where counts[place] != 0 {
      let number = FieldRule.list(at: place, of: kind)
      let bound =
        switch FieldRule.rule(for: number, of: kind)?.occurrence {
        case .deployments: bounds.maximumDeployments
        case .tags: bounds.maximumTags
        default: bounds.maximumListEntries
        }
      if Int(counts[place]) > bound {
        throw .tooMany(
          WireField(message: kind, number: number), count: Int(counts[place]), bound: bound)
      }
    }
  }
}
