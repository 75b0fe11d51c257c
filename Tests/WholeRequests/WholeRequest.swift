public import BudgetWire

/// A request as a decoder shows it, whatever its method: for tests, which do not know beforehand what
/// comes. Valid only within the call that passed it.
public struct WireRequest {
  /// Names the call.
  public let callID: UInt64
  /// Milliseconds after which the caller no longer waits; 0 = none.
  public let timeoutMilliseconds: UInt32
  /// The method, with its message.
  public let method: WireMethod
}

/// The method of a request, with a view of its fields.
public enum WireMethod {
  case filterDeployments(FilterDeploymentsView)
  case recordSpend(RecordSpendView)
  case getProviderBudgets(GetProviderBudgetsView)
  case getSpendHistory(GetSpendHistoryView)
  case backupLedger(BackupLedgerView)
  case explainRequest(FilterDeploymentsView)
  case setBudget(SetBudgetView)
  case clearBudget(ClearBudgetView)
  case resetBudget(ResetBudgetView)
  case listChanges(ListChangesView)
  case reloadConfig
  case authenticate(AuthenticateView)
  case reserveSpend(ReserveSpendView)
  case releaseReservation(ReleaseReservationView)
  case extendReservation(ExtendReservationView)
  case ping
  case none
}

extension RequestDecoder {
  /// Calls `body` with the request that `frame` holds, one frame without its header, read the whole
  /// way: head, walk, protobuf-c.
  public mutating func withRequest<Answer>(
    frame: RawSpan, _ body: (WireRequest) -> Answer
  ) throws(WireRefusal) -> Answer {
    let head = try RequestHead(frame: frame, bounds: bounds)
    let method: WireMethod
    do throws(WireFault) {
      method = try self.method(of: head)
    } catch {
      throw WireRefusal(callID: head.callID, fault: error)
    }
    return body(
      WireRequest(
        callID: head.callID, timeoutMilliseconds: head.timeoutMilliseconds, method: method))
  }

  /// As `withRequest(frame:_:)`, of a span of bytes.
  public mutating func withRequest<Answer>(
    frame: Span<UInt8>, _ body: (WireRequest) -> Answer
  ) throws(WireRefusal) -> Answer {
    // Safe: `bytes` is unsafe for types with padding, which would be read; UInt8 has none.
    try withRequest(frame: unsafe frame.bytes, body)
  }

  private mutating func method(of head: RequestHead) throws(WireFault) -> WireMethod {
    switch head.method {
    case .filterDeployments: return .filterDeployments(try filterDeployments(head))
    case .recordSpend: return .recordSpend(try recordSpend(head))
    case .getProviderBudgets: return .getProviderBudgets(try getProviderBudgets(head))
    case .getSpendHistory: return .getSpendHistory(try getSpendHistory(head))
    case .authenticate: return .authenticate(try authenticate(head))
    case .backupLedger: return .backupLedger(try backupLedger(head))
    case .explainRequest: return .explainRequest(try filterDeployments(head))
    case .reserveSpend: return .reserveSpend(try reserveSpend(head))
    case .releaseReservation: return .releaseReservation(try releaseReservation(head))
    case .extendReservation: return .extendReservation(try extendReservation(head))
    case .setBudget: return .setBudget(try setBudget(head))
    case .clearBudget: return .clearBudget(try clearBudget(head))
    case .resetBudget: return .resetBudget(try resetBudget(head))
    case .listChanges: return .listChanges(try listChanges(head))
    case .reloadConfig:
      try judge(head)
      return .reloadConfig
    case .ping:
      try judge(head)
      return .ping
    case nil: return .none
    }
  }
}
