import CBudgetWire

/// Turns a request's bytes into views: the walk judges them, protobuf-c unpacks them into an arena
/// that is reused for request after request.
///
/// Belongs to one lane: not `Sendable`, not copyable. In the steady state a decode allocates
/// nothing. Memory: 64 KiB, and for large requests up to about 8 MiB while one is decoded.
public struct RequestDecoder: ~Copyable {
  /// The bounds that requests are judged by.
  public let bounds: WireBounds
  private var arena = RequestArena()

  /// A decoder of its own arena.
  public init(bounds: WireBounds = .standard) {
    self.bounds = bounds
  }

  /// How many bytes the last request took unpacked.
  public var lastRequestArenaBytes: Int { arena.usedBytes }

  /// Calls `body` with the request that `message` holds, one frame without its header, and returns
  /// what it returns. The request and all that comes from it is valid within `body` only.
  ///
  /// Throws what to answer where `message` is no request. The connection can stay open: framing is
  /// intact. An empty message is a request without a method, on call id 0.
  public mutating func withRequest<Answer>(
    frame message: RawSpan, _ body: (WireRequest) -> Answer
  ) throws(WireRefusal) -> Answer {
    let length = message.byteCount
    guard length <= bounds.maximumRequestBytes else {
      throw WireRefusal(
        callID: 0, fault: .frameTooLong(length: length, bound: bounds.maximumRequestBytes))
    }
    let walk = try WireWalk.walk(message, bounds: bounds)
    guard walk.callID != 0 || length == 0 else {
      throw WireRefusal(callID: 0, fault: .noCallID)
    }
    let bound = WireBounds.arenaBytes(forRequestOf: length)
    arena.begin(bound: bound)
    // Safe: protobuf-c reads `length` bytes that the span keeps alive, and copies what it keeps
    // into the arena, which stays as it is until the next call of this function.
    let unpacked = unsafe message.withUnsafeBytes { bytes in
      unsafe arena.withAllocator { allocator in
        unsafe budget__v1__request__unpack(
          allocator, bytes.count, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
      }
    }
    guard let request = unsafe unpacked else {
      throw WireRefusal(
        callID: walk.callID, fault: arena.isExhausted ? .tooMuchMemory(bound: bound) : .notUnpacked)
    }
    return unsafe body(
      WireRequest(
        callID: request.pointee.call_id, timeoutMilliseconds: request.pointee.timeout_ms,
        method: WireMethod(request, method: walk.method)))
  }
}

extension RequestDecoder {
  /// As `withRequest(frame:_:)`, of a span of bytes.
  public mutating func withRequest<Answer>(
    frame message: Span<UInt8>, _ body: (WireRequest) -> Answer
  ) throws(WireRefusal) -> Answer {
    // Safe: `bytes` is unsafe for types with padding, which would be read; UInt8 has none.
    try withRequest(frame: unsafe message.bytes, body)
  }
}

extension WireMethod {
  /// The view of the member that the walk found, in the struct that protobuf-c made of it.
  fileprivate init(_ request: UnsafePointer<Budget__V1__Request>, method: MethodName?) {
    switch method {
    case .filterDeployments:
      guard let message = unsafe request.pointee.filter_deployments else { break }
      self = unsafe .filterDeployments(FilterDeploymentsView(message))
      return
    case .recordSpend:
      guard let message = unsafe request.pointee.record_spend else { break }
      self = unsafe .recordSpend(RecordSpendView(message))
      return
    case .getProviderBudgets:
      guard let message = unsafe request.pointee.get_provider_budgets else { break }
      self = unsafe .getProviderBudgets(GetProviderBudgetsView(message))
      return
    case .explainRequest:
      guard let message = unsafe request.pointee.explain_request else { break }
      self = unsafe .explainRequest(FilterDeploymentsView(message))
      return
    case .ping:
      self = .ping
      return
    case .backupLedger:
      guard let message = unsafe request.pointee.backup_ledger else { break }
      self = unsafe .backupLedger(BackupLedgerView(message))
      return
    case .reserveSpend?, .releaseReservation?, .authenticate?:
      guard let method else { break }
      self = .later(method)
      return
    case nil: break
    }
    self = .none
  }
}
