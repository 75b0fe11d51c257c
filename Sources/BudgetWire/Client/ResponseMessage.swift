/// A response as a client reads it.
public struct ResponseMessage: Hashable, Sendable {
  /// The call it answers; 0 where the server could not read which.
  public var callID: UInt64
  /// How the call ended; nil = OK.
  public var status: RPCStatus?
  /// The method's answer. Beside a status only on `resourceExhausted` from FilterDeployments and
  /// ReserveSpend.
  public var result: Result?

  /// The answers of the methods.
  public enum Result: Hashable, Sendable {
    /// Which candidates are within budget.
    case filterDeployments(FilterDeploymentsResponse)
    /// The spend is recorded.
    case recordSpend(RecordSpendResponse)
    /// The reservation, or why there is none.
    case reserveSpend(ReserveSpendResponse)
    /// Whether the reservation was open until now.
    case released(Bool)
    /// When the reservation ends now, Unix milliseconds.
    case extended(untilUnixMilliseconds: Int64)
    /// One page of budgets.
    case providerBudgets(GetProviderBudgetsResponse)
    /// One page of a budget's windows.
    case spendHistory(GetSpendHistoryResponse)
    /// Each budget's verdict.
    case explained(ExplainRequestResponse)
    /// The connection is known, and may do what this role may.
    case authenticated(role: String)
    /// Who answers.
    case ping(PingResponse)
    /// A change is in force.
    case setBudget(SetBudgetResponse)
    /// The changes that cleared something.
    case clearBudget([BudgetOverride])
    /// A window was ended.
    case resetBudget(ResetBudgetResponse)
    /// One page of the audit.
    case changes(ListChangesResponse)
    /// The configuration was read again.
    case reloadConfig(ReloadConfigResponse)
    /// The ledger was copied.
    case backupLedger(BackupLedgerResponse)
  }
}

/// Which call a response answers and how it ended, read without unpacking the rest: for those who
/// count answers and do not use them.
public struct ResponseHead: Equatable, Sendable {
  /// The call it answers; 0 where the server could not read which.
  public var callID: UInt64 = 0
  /// How the call ended.
  public var code = StatusCode.ok
  /// The method whose answer the response holds, if any.
  public var method: MethodName?

  /// Reads a response, one frame without its header.
  ///
  /// Throws `malformed` if the bytes are not a message; a status whose number is unknown is
  /// `unknown`.
  public init(frame: RawSpan) throws(ResponseFault) {
    do {
      var cursor = WireCursor(at: 0, end: frame.byteCount)
      while cursor.offset < frame.byteCount {
        let field = try cursor.nextField(in: frame)
        switch (field.number, field.wireType) {
        case (1, 0): callID = field.value
        case (2, 2): code = try Self.code(in: frame, from: field.start, to: cursor.offset)
        case (10..., 2): method = UInt8(exactly: field.number).flatMap(MethodName.init) ?? method
        default: break
        }
      }
    } catch {
      throw .malformed
    }
  }

  /// Appends the reservation's id in an answer to FilterDeployments, one frame without its header, and
  /// gives its length; nil: there is none.
  package static func appendReservationID(
    in frame: borrowing RawSpan, to bytes: inout [UInt8]
  ) -> Int? {
    let method = UInt32(MethodName.filterDeployments.rawValue)
    guard let result = field(method, in: frame, 0..<frame.byteCount),
      let id = field(6, in: frame, result), !id.isEmpty
    else { return nil }
    for offset in id { bytes.append(frame.byte(at: offset)) }
    return id.count
  }

  /// The bytes of the length-delimited field `number` of the message in `range`.
  private static func field(
    _ number: UInt32, in frame: borrowing RawSpan, _ range: Range<Int>
  ) -> Range<Int>? {
    var cursor = WireCursor(at: range.lowerBound, end: range.upperBound)
    while cursor.offset < range.upperBound {
      guard let field = try? cursor.nextField(in: frame) else { return nil }
      if field.number == number, field.wireType == 2 { return field.start..<cursor.offset }
    }
    return nil
  }

  private static func code(
    in frame: borrowing RawSpan, from start: Int, to end: Int
  ) throws(WireFault) -> StatusCode {
    var cursor = WireCursor(at: start, end: end)
    while cursor.offset < end {
      let field = try cursor.nextField(in: frame)
      guard field.number == 1, field.wireType == 0 else { continue }
      return UInt8(exactly: field.value).flatMap(StatusCode.init) ?? .unknown
    }
    return .ok
  }
}

/// Why bytes are not taken as a response.
public enum ResponseFault: Error, Hashable, Sendable {
  /// A frame of more bytes than a server may send.
  case frameTooLong(length: Int, bound: Int)
  /// Not a message of budget.v1, or one that would take more memory than any honest one.
  case malformed
}

extension ResponseFault: CustomStringConvertible {
  /// One sentence.
  public var description: String {
    switch self {
    case .frameTooLong(let length, let bound): "a response of \(length) bytes, at most \(bound)"
    case .malformed: "the response is not a message of budget.v1"
    }
  }
}
