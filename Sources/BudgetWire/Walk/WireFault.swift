/// Why bytes are not taken as a message. Cases carry what the reply's sentence needs; offsets count
/// from the message's first byte.
public enum WireFault: Error, Hashable, Sendable {
  /// A frame of more bytes than may be sent.
  case frameTooLong(length: Int, bound: Int)
  /// The field that starts at `offset` ends behind the message it stands in.
  case truncated(offset: Int)
  /// A varint that goes on past its last possible byte: 5 in a key or a length, 10 in a value.
  case overlongVarint(offset: Int, bound: Int)
  /// A field number that no schema can have.
  case fieldNumber(UInt64, offset: Int)
  /// The start or end of a group, which proto3 does not have.
  case group(offset: Int)
  /// A wire type that does not exist.
  case wireType(UInt8, offset: Int)
  /// A known field in another field's framing.
  case wrongWireType(WireField, given: UInt8, expected: UInt8)
  /// A singular field that stands twice.
  case givenTwice(WireField)
  /// Two members of the oneof `method`.
  case twoMethods(first: MethodName, second: MethodName)
  /// A list of more entries than it may have.
  case tooMany(WireField, count: Int, bound: Int)
  /// More unknown fields, in the whole request, than are skipped.
  case tooManyUnknownFields(bound: Int)
  /// Messages that lie deeper in each other than is read.
  case tooDeep(WireField, bound: Int)
  /// A call id of 0, or none.
  case noCallID
  /// The unpacked message would take more memory than it may.
  case tooMuchMemory(bound: Int)
  /// protobuf-c did not take what the walk let through; no input is known that does this.
  case notUnpacked
}

extension WireFault {
  /// The same fault of a message that starts at `start` of what offsets are counted in.
  func offset(by start: Int) -> WireFault {
    switch self {
    case .truncated(let offset): .truncated(offset: start + offset)
    case .overlongVarint(let offset, let bound):
      .overlongVarint(offset: start + offset, bound: bound)
    case .fieldNumber(let number, let offset): .fieldNumber(number, offset: start + offset)
    case .group(let offset): .group(offset: start + offset)
    case .wireType(let type, let offset): .wireType(type, offset: start + offset)
    default: self
    }
  }

  /// The code to answer with.
  public var code: StatusCode {
    switch self {
    case .frameTooLong: .resourceExhausted
    default: .invalidArgument
    }
  }
}

extension WireFault: CustomStringConvertible {
  /// One sentence: the field, what was given and what would be right.
  public var description: String {
    switch self {
    case .frameTooLong(let length, let bound):
      "frame: \(Self.grouped(length)) bytes, at most \(Self.grouped(bound))"
    case .truncated(let offset): "the field at byte \(offset) ends behind its message"
    case .overlongVarint(let offset, let bound):
      "the varint at byte \(offset) has more than \(bound) bytes"
    case .fieldNumber(let number, let offset):
      "field number \(number) at byte \(offset), must be 1 to 536870911"
    case .group(let offset): "a group at byte \(offset): proto3 has none"
    case .wireType(let type, let offset): "wire type \(type) at byte \(offset) does not exist"
    case .wrongWireType(let field, let given, let expected):
      "\(field): wire type \(given), must be \(expected)"
    case .givenTwice(let field): "\(field): given twice"
    case .twoMethods(let first, let second): "\(second): given beside \(first)"
    case .tooMany(let field, let count, let bound):
      "\(field): \(Self.grouped(count)) given, at most \(Self.grouped(bound))"
    case .tooManyUnknownFields(let bound): "more than \(Self.grouped(bound)) unknown fields"
    case .tooDeep(let field, let bound): "\(field): messages more than \(bound) deep"
    case .noCallID: "call_id: 0 or absent, ids start at 1"
    case .tooMuchMemory(let bound):
      "the message would take more than \(Self.grouped(bound)) bytes unpacked"
    case .notUnpacked: "not a message of budget.v1"
    }
  }

  /// The number with a comma before every third digit.
  private static func grouped(_ number: Int) -> String {
    var text = ""
    for (index, digit) in String(number).reversed().enumerated() {
      if index > 0, index % 3 == 0, digit != "-" { text.append(",") }
      text.append(digit)
    }
    return String(text.reversed())
  }
}

/// A request that is not taken: what to answer, and on which call.
public struct WireRefusal: Error, Hashable, Sendable {
  /// The call to answer, as far as it could be read, else 0.
  public let callID: UInt64
  /// The fault that the reply tells.
  public let fault: WireFault

  /// A refusal of the call `callID`.
  public init(callID: UInt64, fault: WireFault) {
    self.callID = callID
    self.fault = fault
  }

  /// The status to answer with.
  public var status: RPCStatus { RPCStatus(fault.code, fault.description) }
}
