/// A request that is not taken: what to answer, and on which call.
public struct WireRefusal: Error, Hashable, Sendable {
  /// The call to answer, as far as it could be read, else 0.
  public let callID: UInt64
  /// What is wrong.
  public let fault: WireFault

  /// A refusal of the call `callID`.
  public init(callID: UInt64, fault: WireFault) {
    self.callID = callID
    self.fault = fault
  }

  /// The status to answer with.
  public var status: RPCStatus { RPCStatus(fault.code, fault.description) }
}
