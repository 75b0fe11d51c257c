/// A request as a client builds it.
public struct RequestMessage: Hashable, Sendable {
  /// Names the call: from 1, unique among those under way on the connection.
  public var callID: UInt64
  /// Milliseconds after which the caller no longer waits; 0 = none.
  public var timeoutMilliseconds: UInt32
  /// The question; nil asks nothing and is answered UNIMPLEMENTED.
  public var method: Method?

  /// The methods, each with its question.
  public enum Method: Hashable, Sendable {
    /// Which candidates are within budget.
    case filterDeployments(FilterDeploymentsRequest)
    /// Record what a request cost.
    case recordSpend(RecordSpendRequest)
    /// Hold an amount back.
    case reserveSpend(ReserveSpendRequest)
    /// Give a reservation back.
    case releaseReservation(id: String)
    /// Let a reservation end so many milliseconds from now; 0 = 120,000.
    case extendReservation(id: String, ttlMilliseconds: UInt32)
    /// The state of the budgets.
    case getProviderBudgets(GetProviderBudgetsRequest)
    /// The windows of a budget and their spend.
    case getSpendHistory(GetSpendHistoryRequest)
    /// Copy the ledger to a file on the server's disk.
    case backupLedger(path: String)
    /// Each budget's verdict on a request that FilterDeployments could be asked.
    case explainRequest(FilterDeploymentsRequest)
    /// Change a budget's limit, or the mode of a name's budgets.
    case setBudget(SetBudgetRequest)
    /// Have the configuration's values hold again.
    case clearBudget(ClearBudgetRequest)
    /// End a budget's window.
    case resetBudget(ResetBudgetRequest)
    /// The changes that operators made.
    case listChanges(ListChangesRequest)
    /// Read the configuration again.
    case reloadConfig
    /// Who the connection is.
    case authenticate(token: String)
    /// Who answers.
    case ping
  }

  /// A request of all its parts.
  public init(callID: UInt64, timeoutMilliseconds: UInt32 = 0, method: Method?) {
    self.callID = callID
    self.timeoutMilliseconds = timeoutMilliseconds
    self.method = method
  }

  /// Appends the request as one frame, header included.
  ///
  /// Throws `frameTooLong` where the message is longer than the server takes; `buffer` is then as
  /// it was. Bounds on counts are the server's to judge.
  public func appendFrame(
    to buffer: inout [UInt8], bounds: WireBounds = .standard
  ) throws(WireFault) {
    let start = buffer.count
    FrameHeader.append(messageLength: 0, to: &buffer)
    buffer.appendInteger(1, callID)
    buffer.appendInteger(2, UInt64(timeoutMilliseconds))
    switch method {
    case .filterDeployments(let message): message.append(as: .filterDeployments, to: &buffer)
    case .explainRequest(let message): message.append(as: .explainRequest, to: &buffer)
    case .recordSpend(let message): message.append(to: &buffer)
    case .reserveSpend(let message): message.append(to: &buffer)
    case .releaseReservation(let id):
      buffer.appendMessage(MethodName.releaseReservation.rawValue) { $0.appendText(1, id) }
    case .extendReservation(let id, let ttlMilliseconds):
      buffer.appendMessage(MethodName.extendReservation.rawValue) {
        $0.appendText(1, id)
        $0.appendInteger(2, UInt64(ttlMilliseconds))
      }
    case .getProviderBudgets(let message): message.append(to: &buffer)
    case .getSpendHistory(let message): message.append(to: &buffer)
    case .backupLedger(let path):
      buffer.appendMessage(MethodName.backupLedger.rawValue) { $0.appendText(1, path) }
    case .setBudget(let message): message.append(to: &buffer)
    case .clearBudget(let message): message.append(to: &buffer)
    case .resetBudget(let message): message.append(to: &buffer)
    case .listChanges(let message): message.append(to: &buffer)
    case .reloadConfig: buffer.appendHead(MethodName.reloadConfig.rawValue, length: 0)
    case .authenticate(let token):
      buffer.appendMessage(MethodName.authenticate.rawValue) { $0.appendText(1, token) }
    case .ping: buffer.appendHead(MethodName.ping.rawValue, length: 0)
    case nil: break
    }
    let length = buffer.count - start - FrameHeader.byteCount
    guard length <= bounds.maximumRequestBytes else {
      buffer.removeSubrange(start...)
      throw .frameTooLong(length: length, bound: bounds.maximumRequestBytes)
    }
    FrameHeader.fill(at: start, of: &buffer)
  }

  /// Appends `field`, the bytes of a field, to the method's message of the frame at `start`, the last of
  /// `buffer`. Precondition: a request that `appendFrame` wrote, of a method below number 16.
  package static func lengthenMethod(
    ofFrameAt start: Int, of buffer: inout [UInt8], by field: [UInt8]
  ) {
    var at = start + FrameHeader.byteCount
    func skipVarint() {
      while buffer[at] >= 0x80 { at += 1 }
      at += 1
    }
    // The call id, perhaps a timeout, then the method.
    while buffer[at] & 7 == 0 {
      at += 1
      skipVarint()
    }
    let lengthAt = at + 1
    at = lengthAt
    skipVarint()
    let length = buffer.count - at + field.count
    var bytes: [UInt8] = []
    bytes.appendVarint(UInt64(length))
    buffer.replaceSubrange(lengthAt..<at, with: bytes)
    buffer.append(contentsOf: field)
    FrameHeader.fill(at: start, of: &buffer)
  }

  /// The request as one frame, header included. Throws as `appendFrame`.
  public func frame(bounds: WireBounds = .standard) throws(WireFault) -> [UInt8] {
    var bytes: [UInt8] = []
    try appendFrame(to: &bytes, bounds: bounds)
    return bytes
  }
}
