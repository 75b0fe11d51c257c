import BudgetModel
import BudgetWire

/// The requests of a load test, written once; a turn copies one and puts its call id, and the digits
/// that make it another one than all before, into it.
struct LoadFrames {
  /// A request whose call id, and digits where it has some, are to be written over.
  struct Frame {
    var bytes: [UInt8]
    var method: MethodName
    /// The place of the fresh tag's digits; nil: the request has none.
    var tagDigits: Int?
    /// The place of the idempotency key; nil: the request has none.
    var keyDigits: Int?
    /// The record that settles a reservation, for ids as long as the last one; it ends with the id.
    var settling: (idLength: Int, bytes: [UInt8]) = (0, [])
  }

  private(set) var frames: [Frame] = []

  /// Call ids are three bytes long, so that one can be put in place of another: ids from 2¹⁴ to
  /// 2²¹ - 1.
  static let firstCallID: UInt64 = 1 << 14
  /// Behind the header of four bytes and the field's key.
  private static let callIDOffset = FrameHeader.byteCount + 1
  private static let digitCount = 16
  /// Different requests of one kind.
  private static let variety = 256
  private static let deploymentsPerFilter = 8
  private static let tagsPerRequest = 2
  private static let smallestAmountUSD = 1e-12

  /// Throws where the names make a request that is too long.
  init(_ plan: LoadPlan) throws(WireFault) {
    for index in 0..<Self.variety {
      if plan.work != .record {
        try add(.filterDeployments) { tag, _ in .filterDeployments(Self.filter(index, plan, tag)) }
      }
      if plan.work != .filter {
        try add(.recordSpend) { tag, key in .recordSpend(Self.record(index, plan, tag, key)) }
      }
    }
  }

  /// Adds what `request` makes of a fresh tag's digits and a key. The digits lie where two requests
  /// differ that were made of different ones.
  private mutating func add(
    _ method: MethodName, _ request: (_ tag: String, _ key: String) -> RequestMessage.Method
  ) throws(WireFault) {
    let (digits, others) = (Self.digits("0"), Self.digits("f"))
    let bytes = try Self.bytes(request(digits, digits))
    func difference(_ other: [UInt8]) -> Int? { bytes.indices.first { bytes[$0] != other[$0] } }
    frames.append(
      Frame(
        bytes: bytes, method: method,
        tagDigits: difference(try Self.bytes(request(others, digits))),
        keyDigits: difference(try Self.bytes(request(digits, others)))))
  }

  private static func bytes(_ method: RequestMessage.Method) throws(WireFault) -> [UInt8] {
    try RequestMessage(callID: firstCallID, method: method).frame()
  }

  private static func digits(_ digit: String) -> String {
    String(repeating: digit, count: digitCount)
  }

  private static func filter(
    _ index: Int, _ plan: LoadPlan, _ tag: String
  ) -> FilterDeploymentsRequest {
    let names = plan.names
    var request = FilterDeploymentsRequest()
    request.tags = tags(index, plan, tag)
    // So little that no budget runs out.
    if plan.reserves { request.reserve = ReserveOptions(amountUSD: smallestAmountUSD) }
    if !names.models.isEmpty {
      request.modelName = names.models[index % names.models.count]
      return request
    }
    for place in 0..<deploymentsPerFilter {
      let provider = names.providers[(index + place / 2) % names.providers.count]
      request.deployments.append(
        Deployment(
          id: names.deployments[(index * deploymentsPerFilter + place) % names.deployments.count],
          modelName: "bench", model: "\(provider)/bench", provider: provider))
    }
    return request
  }

  private static func record(
    _ index: Int, _ plan: LoadPlan, _ tag: String, _ key: String
  ) -> RecordSpendRequest {
    let names = plan.names
    var request = RecordSpendRequest(costUSD: 0)
    request.provider = names.providers[index % names.providers.count]
    request.deploymentID = names.deployments[index % names.deployments.count]
    request.model = "\(request.provider)/bench"
    request.tags = tags(index, plan, tag)
    if !plan.reserves { request.idempotencyKey = key }
    return request
  }

  private static func tags(_ index: Int, _ plan: LoadPlan, _ digits: String) -> [String] {
    let tags = plan.names.tags
    return (0..<min(tagsPerRequest, tags.count)).map { tags[(index + $0) % tags.count] }
      + (plan.hasFreshTags ? ["user:" + digits] : [])
  }

  /// Appends the request `index` under the call id; `fresh` becomes the digits of its tag and its
  /// key.
  func append(
    _ index: Int, callID: UInt64, fresh: UInt64, to output: inout [UInt8]
  ) {
    let start = output.count
    output.append(contentsOf: frames[index].bytes)
    Self.writeCallID(callID, to: &output, at: start + Self.callIDOffset)
    if let offset = frames[index].tagDigits { Self.write(fresh, to: &output, at: start + offset) }
    if let offset = frames[index].keyDigits { Self.write(fresh, to: &output, at: start + offset) }
  }

  /// The parts that one request has for itself.
  struct Turn {
    var callID: UInt64
    var fresh: UInt64
  }

  /// Appends the record `index` that settles the reservation whose id is `id`, as `append` does.
  mutating func appendSettling(
    _ index: Int, _ turn: Turn, id: Span<UInt8>, to output: inout [UInt8]
  ) {
    // Ids are mostly of one length: its frame is written once.
    if frames[index].settling.idLength != id.count {
      let field = [Self.reservationKey, UInt8(id.count)] + [UInt8](repeating: 0, count: id.count)
      var bytes = frames[index].bytes
      RequestMessage.lengthenMethod(ofFrameAt: 0, of: &bytes, by: field)
      frames[index].settling = (id.count, bytes)
    }
    let start = output.count
    let moved =
      frames[index].settling.bytes.count - frames[index].bytes.count - id.count - 2
    output.append(bytesOf: frames[index].settling.bytes)
    Self.writeCallID(turn.callID, to: &output, at: start + Self.callIDOffset)
    // The method's length may take a byte more, and stands before its fields.
    if let offset = frames[index].tagDigits {
      Self.write(turn.fresh, to: &output, at: start + offset + moved)
    }
    let end = output.count - id.count
    for offset in id.indices { output[end + offset] = id[offset] }
  }

  /// Field 7 of a record, a text; an id is shorter than 128 bytes, so that its length is one.
  private static let reservationKey: UInt8 = 7 << 3 | 2

  private static func writeCallID(_ callID: UInt64, to output: inout [UInt8], at start: Int) {
    output[start] = UInt8(truncatingIfNeeded: callID) | 0x80
    output[start + 1] = UInt8(truncatingIfNeeded: callID >> 7) | 0x80
    output[start + 2] = UInt8(truncatingIfNeeded: callID >> 14)
  }

  /// Writes the number's sixteen hexadecimal digits.
  private static func write(_ number: UInt64, to output: inout [UInt8], at start: Int) {
    var rest = number
    for offset in 0..<digitCount {
      rest = rest << 4 | rest >> 60
      let digit = UInt8(truncatingIfNeeded: rest & 15)
      output[start + offset] =
        digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
    }
  }
}
