import CBudgetWire
import Testing

@testable import BudgetWire

/// The generated tables against protobuf-c's descriptors, which another generator made of the same
/// .proto, and against the walk that reads them.
@Suite struct SchemaTests {
  /// A field as protobuf-c describes it.
  private struct Described: Equatable {
    var name: String
    var number: UInt32
    var wireType: UInt8
    var isList: Bool
    /// The message inside, by its name.
    var inner: String?
  }

  private static func wireType(_ type: ProtobufCType) -> UInt8 {
    switch type {
    case PROTOBUF_C_TYPE_DOUBLE, PROTOBUF_C_TYPE_FIXED64, PROTOBUF_C_TYPE_SFIXED64: 1
    case PROTOBUF_C_TYPE_FLOAT, PROTOBUF_C_TYPE_FIXED32, PROTOBUF_C_TYPE_SFIXED32: 5
    case PROTOBUF_C_TYPE_STRING, PROTOBUF_C_TYPE_BYTES, PROTOBUF_C_TYPE_MESSAGE: 2
    default: 0
    }
  }

  /// Adds the message of `descriptor`, and those that it may hold, by their names.
  private static func describe(
    _ descriptor: UnsafePointer<ProtobufCMessageDescriptor>,
    into messages: inout [String: [Described]]
  ) {
    let name = unsafe String(cString: descriptor.pointee.short_name)
    if messages[name] != nil { return }
    var fields: [Described] = []
    let count = unsafe Int(descriptor.pointee.n_fields)
    for index in 0..<count {
      let field = unsafe descriptor.pointee.fields[index]
      var described = unsafe Described(
        name: String(cString: field.name), number: field.id, wireType: wireType(field.type),
        isList: field.label == PROTOBUF_C_LABEL_REPEATED)
      if unsafe field.type == PROTOBUF_C_TYPE_MESSAGE {
        let inner = unsafe field.descriptor.assumingMemoryBound(
          to: ProtobufCMessageDescriptor.self)
        described.inner = unsafe String(cString: inner.pointee.short_name)
        unsafe describe(inner, into: &messages)
      }
      fields.append(described)
    }
    messages[name] = fields.sorted { $0.number < $1.number }
  }

  /// The fields of the messages that an envelope may hold, and its own, by the messages' names.
  private static func messages(
    in envelope: ProtobufCMessageDescriptor
  ) -> [String: [Described]] {
    var messages: [String: [Described]] = [:]
    unsafe withUnsafePointer(to: envelope) { unsafe describe($0, into: &messages) }
    return messages
  }

  private static func name(of kind: MessageKind) -> String {
    let name = "\(kind)".prefix(1).uppercased() + "\(kind)".dropFirst()
    return kind == .request || kind == .deployment ? name : name + "Request"
  }

  @Test func rulesAreWhatTheDescriptorsSay() {
    let messages = unsafe Self.messages(in: budget__v1__request__descriptor)
    #expect(messages.count == MessageKind.allCases.count)
    for kind in MessageKind.allCases {
      let known = (1...5_000 as ClosedRange<UInt32>).compactMap { number -> Described? in
        guard let rule = FieldRule.rule(for: number, of: kind) else { return nil }
        return Described(
          name: WireField(message: kind, number: number).description, number: number,
          wireType: rule.wireType, isList: rule.occurrence != .once,
          inner: rule.holdsMessage ? Self.name(of: rule.inner) : nil)
      }
      #expect(known == messages[Self.name(of: kind)], "\(kind)")
    }
  }

  @Test func listsAreBoundedByWhatTheyHold() {
    for kind in MessageKind.allCases {
      for number: UInt32 in 1...5_000 {
        guard let rule = FieldRule.rule(for: number, of: kind), rule.occurrence != .once else {
          continue
        }
        let name = WireField(message: kind, number: number).description
        let expected: FieldRule.Occurrence =
          rule.inner == .deployment ? .deployments : name == "tags" ? .tags : .list
        #expect(rule.occurrence == expected, "\(kind).\(name)")
      }
    }
  }

  @Test func methodsAreTheMembersOfBothEnvelopes() {
    let requests = unsafe Self.messages(in: budget__v1__request__descriptor)["Request"] ?? []
    let responses = unsafe Self.messages(in: budget__v1__response__descriptor)["Response"] ?? []
    let methods = MethodName.allCases.map { "\($0.rawValue) \($0)" }
    for envelope in [requests, responses] {
      #expect(envelope.filter { $0.number >= 10 }.map { "\($0.number) \($0.name)" } == methods)
    }
    for method in MethodName.allCases {
      let inner = requests.first { $0.number == UInt32(method.rawValue) }?.inner
      #expect(inner == Self.name(of: method.messageKind))
      let words = method.description.split(separator: "_")
      #expect(
        method.serviceName == words.map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined())
    }
    #expect(MethodName.allCases.map(\.position) == Array(1...MethodName.allCases.count))
    #expect(PerMethod<Int>(repeating: 0).count == MethodName.allCases.count + 1)
  }

  @Test func statusCodesAreTheContracts() {
    let codes = unsafe budget__v1__status__code__descriptor
    let count = unsafe Int(codes.n_values)
    let values = (0..<count).map { index in
      let value = unsafe codes.values[index]
      return unsafe "\(value.value) \(String(cString: value.name))"
    }
    #expect(values == StatusCode.allCases.map { "\($0.rawValue) \($0)" })
  }

  /// The walk notes a field at its rule's place: two fields at one place would be taken for one.
  @Test func placesAreTheFieldsOwn() {
    for kind in MessageKind.allCases {
      var (bits, lists): (FieldSet, Set<UInt8>) = (0, [])
      for number: UInt32 in 1...5_000 {
        guard let rule = FieldRule.rule(for: number, of: kind) else { continue }
        if rule.occurrence == .once {
          let bit: FieldSet = 1 << rule.place
          #expect(bit != 0 && bits & bit == 0, "field \(number) of \(kind)")
          // The quick steps of `PlainFields` take a number for its place.
          #expect(rule.place == number || number > 15)
          bits |= bit
        } else {
          #expect(lists.insert(rule.place).inserted, "field \(number) of \(kind)")
          #expect(FieldRule.list(at: Int(rule.place), of: kind) == number)
        }
      }
      #expect(lists.allSatisfy { Int($0) < ListCounts(repeating: 0).count })
    }
  }

  /// A request with `fields` in a message of `kind`, or in itself.
  private func request(_ kind: MessageKind, _ fields: [UInt8]) -> [UInt8]? {
    let id = RawField.integer(1, 9)
    if kind == .request { return id + fields }
    if kind == .deployment {
      return id + RawField.bytes(10, RawField.bytes(1, fields))
    }
    guard let method = MethodName.allCases.first(where: { $0.messageKind == kind }) else {
      return nil
    }
    return id + RawField.bytes(UInt64(method.rawValue), fields)
  }

  private func field(_ number: UInt32, _ rule: FieldRule) -> [UInt8] {
    switch rule.wireType {
    case 0: RawField.integer(UInt64(number), 1)
    case 1: RawField.double(UInt64(number), 1)
    case 2: RawField.bytes(UInt64(number), [])
    default: RawField.key(UInt64(number), 5) + [0, 0, 0, 0]
    }
  }

  @Test func eachFieldIsJudgedByItsRule() throws {
    for kind in MessageKind.allCases {
      for number: UInt32 in 1...5_000 {
        guard let rule = FieldRule.rule(for: number, of: kind) else { continue }
        // Each request has a call id already.
        if kind == .request, number == 1 { continue }
        let one = field(number, rule)
        let name = WireField(message: kind, number: number)
        func fault(_ fields: [UInt8]) throws -> WireFault? {
          WireSamples.refusal(of: try #require(request(kind, fields)))?.fault
        }
        #expect(try fault(one) == nil, "\(kind).\(name)")
        let other = RawField.key(UInt64(number), 5) + [0, 0, 0, 0]
        #expect(
          try fault(other) == .wrongWireType(name, given: 5, expected: rule.wireType),
          "\(kind).\(name)")
        let bound =
          switch rule.occurrence {
          case .once: 1
          case .deployments, .list: 1_024
          case .tags: 256
          }
        #expect(try fault(RawField.times(bound, one)) == nil, "\(kind).\(name)")
        let more = try fault(RawField.times(bound + 1, one))
        if rule.occurrence == .once {
          #expect(more == .givenTwice(name), "\(kind).\(name)")
        } else {
          #expect(more == .tooMany(name, count: bound + 1, bound: bound), "\(kind).\(name)")
        }
      }
    }
  }
}
