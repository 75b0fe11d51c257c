import BudgetWire

/// The requests of a load test, written once; a turn copies one and puts its call id, and its
/// idempotency key, into it.
struct LoadFrames {
  /// A request whose call id is to be written over.
  struct Frame {
    var bytes: [UInt8]
    var method: MethodName
  }

  private(set) var frames: [Frame] = []

  /// Call ids are three bytes long, so that one can be put in place of another: ids from 2¹⁴ to
  /// 2²¹ - 1.
  static let firstCallID: UInt64 = 1 << 14
  /// Behind the header of four bytes and the field's key.
  private static let callIDOffset = FrameHeader.byteCount + 1
  private static let keyDigits = 16
  /// Different requests of one kind.
  private static let variety = 256
  private static let deploymentsPerFilter = 8
  private static let tagsPerRequest = 2

  /// Throws where the names make a request that is too long.
  init(_ plan: LoadPlan) throws(WireFault) {
    for index in 0..<Self.variety {
      if plan.work != .record {
        try add(.filterDeployments(Self.filter(index, plan.names)), .filterDeployments)
      }
      if plan.work != .filter {
        try add(.recordSpend(Self.record(index, plan.names)), .recordSpend)
      }
    }
  }

  private mutating func add(
    _ method: RequestMessage.Method, _ name: MethodName
  ) throws(WireFault) {
    let request = RequestMessage(callID: Self.firstCallID, method: method)
    frames.append(Frame(bytes: try request.frame(), method: name))
  }

  private static func filter(_ index: Int, _ names: LoadNames) -> FilterDeploymentsRequest {
    var message = FilterDeploymentsRequest()
    message.tags = tags(index, names)
    if !names.models.isEmpty {
      message.modelName = names.models[index % names.models.count]
      return message
    }
    for place in 0..<deploymentsPerFilter {
      let provider = names.providers[(index + place / 2) % names.providers.count]
      message.deployments.append(
        Deployment(
          id: names.deployments[(index * deploymentsPerFilter + place) % names.deployments.count],
          modelName: "bench", model: "\(provider)/bench", provider: provider))
    }
    return message
  }

  private static func record(_ index: Int, _ names: LoadNames) -> RecordSpendRequest {
    var message = RecordSpendRequest(costUSD: 0)
    message.provider = names.providers[index % names.providers.count]
    message.deploymentID = names.deployments[index % names.deployments.count]
    message.model = "\(message.provider)/bench"
    message.tags = tags(index, names)
    message.idempotencyKey = String(repeating: "0", count: keyDigits)
    return message
  }

  private static func tags(_ index: Int, _ names: LoadNames) -> [String] {
    (0..<min(tagsPerRequest, names.tags.count)).map {
      names.tags[(index + $0) % names.tags.count]
    }
  }

  /// Appends the request `index` under the call id, a record under the key.
  func append(
    _ index: Int, callID: UInt64, key: UInt64, to output: inout [UInt8]
  ) {
    let start = output.count
    output.append(contentsOf: frames[index].bytes)
    let at = start + Self.callIDOffset
    output[at] = UInt8(truncatingIfNeeded: callID) | 0x80
    output[at + 1] = UInt8(truncatingIfNeeded: callID >> 7) | 0x80
    output[at + 2] = UInt8(truncatingIfNeeded: callID >> 14)
    guard frames[index].method == .recordSpend else { return }
    // The key is the last field of a record.
    var rest = key
    for offset in 1...Self.keyDigits {
      let digit = UInt8(truncatingIfNeeded: rest & 15)
      output[output.count - offset] =
        digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
      rest >>= 4
    }
  }
}
