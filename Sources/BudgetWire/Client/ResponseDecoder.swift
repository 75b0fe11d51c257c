import BudgetModel
import CBudgetWire

/// Turns a response's bytes into values: protobuf-c unpacks them into a reused arena, and all of it
/// is copied out, so that nothing unsafe leaves this file.
///
/// No walk comes before it: a client chose its server. The arena's bound still ends what a
/// server gone wrong could cost. Belongs to one connection: not `Sendable`, not copyable.
public struct ResponseDecoder: ~Copyable {
  /// The bounds that responses are judged by.
  public let bounds: WireBounds
  private var arena = RequestArena()

  /// A decoder of its own arena.
  public init(bounds: WireBounds = .standard) {
    self.bounds = bounds
  }

  /// The response that `message` holds, one frame without its header.
  public mutating func response(
    frame message: RawSpan
  ) throws(ResponseFault) -> ResponseMessage {
    let length = message.byteCount
    guard length <= bounds.maximumResponseBytes else {
      throw .frameTooLong(length: length, bound: bounds.maximumResponseBytes)
    }
    // A list of budgets unpacks to fewer than 16 times its bytes once they have names; the constant
    // covers short lists of nothing.
    arena.begin(bound: 16 * length + 1024 * 1024)
    // Safe: protobuf-c reads `length` bytes that the span keeps alive and copies what it keeps into
    // the arena, which stays as it is until the next call.
    let unpacked = unsafe message.withUnsafeBytes { bytes in
      unsafe arena.withAllocator { allocator in
        unsafe budget__v1__response__unpack(
          allocator, bytes.count, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
      }
    }
    guard let response = unsafe unpacked else { throw .malformed }
    return unsafe ResponseMessage(response.pointee)
  }
}

extension ResponseDecoder {
  /// As `response(frame:)` of a raw span, of a span of bytes.
  public mutating func response(
    frame message: Span<UInt8>
  ) throws(ResponseFault) -> ResponseMessage {
    // Safe: `bytes` is unsafe for types with padding, which would be read; UInt8 has none.
    try response(frame: unsafe message.bytes)
  }
}

extension ResponseMessage {
  fileprivate init(_ response: Budget__V1__Response) {
    unsafe callID = response.call_id
    if let status = unsafe response.status {
      let number = unsafe UInt8(exactly: status.pointee.code.rawValue)
      let code = number.flatMap(StatusCode.init) ?? .unknown
      // A status of OK says the same as none.
      if code != .ok { unsafe self.status = RPCStatus(code, status.pointee.message.text) }
    }
    let method = unsafe UInt8(exactly: response.result_case.rawValue).flatMap(MethodName.init)
    switch method {
    case .filterDeployments:
      guard let message = unsafe response.filter_deployments else { break }
      result = unsafe .filterDeployments(FilterDeploymentsResponse(message.pointee, status))
    case .recordSpend:
      guard let message = unsafe response.record_spend else { break }
      result = unsafe .recordSpend(
        RecordSpendResponse(
          isDuplicate: message.pointee.duplicate != 0,
          budgetsCharged: Int(message.pointee.budgets_charged)))
    case .reserveSpend:
      guard let message = unsafe response.reserve_spend else { break }
      result = unsafe .reserveSpend(ReserveSpendResponse(message.pointee, status))
    case .releaseReservation:
      guard let message = unsafe response.release_reservation else { break }
      result = unsafe .released(message.pointee.released != 0)
    case .extendReservation:
      guard let message = unsafe response.extend_reservation else { break }
      result = unsafe .extended(untilUnixMilliseconds: message.pointee.expires_at_unix_ms)
    case .getProviderBudgets:
      guard let message = unsafe response.get_provider_budgets else { break }
      result = unsafe .providerBudgets(GetProviderBudgetsResponse(message.pointee))
    case .getSpendHistory:
      guard let message = unsafe response.get_spend_history else { break }
      result = unsafe .spendHistory(GetSpendHistoryResponse(message.pointee))
    case .explainRequest:
      guard let message = unsafe response.explain_request else { break }
      result = unsafe .explained(ExplainRequestResponse(message.pointee))
    case .authenticate:
      guard let message = unsafe response.authenticate else { break }
      result = unsafe .authenticated(role: message.pointee.role.text)
    case .ping:
      guard let message = unsafe response.ping else { break }
      result = unsafe .ping(PingResponse(message.pointee))
    case .backupLedger:
      guard let message = unsafe response.backup_ledger else { break }
      result = unsafe .backupLedger(
        BackupLedgerResponse(bytes: message.pointee.bytes, path: message.pointee.path.text))
    case nil: break
    // Those of administration; a method of a later contract has none that this client reads.
    default: result = unsafe Result(administration: response)
    }
  }
}

extension FilterDeploymentsResponse {
  fileprivate init(_ message: Budget__V1__FilterDeploymentsResponse, _ status: RPCStatus?) {
    self.init()
    isExhausted = status?.code == .resourceExhausted
    self.message = status?.message ?? ""
    allowed = unsafe UnsafeBufferPointer(start: message.allowed, count: message.n_allowed).map {
      Int($0)
    }
    denials = unsafe Self.list(message.denials, message.n_denials, Denial.init)
    if unsafe message.chosen_presence_case
      == BUDGET__V1__FILTER_DEPLOYMENTS_RESPONSE__CHOSEN_PRESENCE_CHOSEN
    {
      chosen = unsafe Int(message.chosen)
    }
    reservation = unsafe SpendReservation(
      message.reservation_id, until: message.expires_at_unix_ms, message.reserved_usd)
    candidates = unsafe Self.list(
      message.candidates, message.n_candidates, Deployment.init)
    denialsOmitted = unsafe Int(message.denials_omitted)
  }

  fileprivate static func list<Message, Element>(
    _ entries: UnsafeMutablePointer<UnsafeMutablePointer<Message>?>?, _ count: Int,
    _ element: (Message) -> Element
  ) -> [Element] {
    unsafe UnsafeBufferPointer(start: entries, count: count).compactMap { entry in
      unsafe entry.map { unsafe element($0.pointee) }
    }
  }
}

extension Denial {
  fileprivate init(_ denial: Budget__V1__Denial) {
    unsafe self.init(
      position: Int(denial.deployment),
      scope: UInt8(exactly: denial.scope.rawValue).flatMap(BudgetScope.init),
      name: denial.name.text, spendUSD: denial.spend_usd, limitUSD: denial.limit_usd,
      resetsAtUnixMilliseconds: denial.resets_at_unix_ms_presence_case
        == BUDGET__V1__DENIAL__RESETS_AT_UNIX_MS_PRESENCE_RESETS_AT_UNIX_MS
        ? denial.resets_at_unix_ms : nil,
      withheldUSD: denial.withheld_usd,
      mode: UInt8(exactly: denial.mode.rawValue).flatMap(BudgetMode.init),
      window: denial.window.text, reservedUSD: denial.reserved_usd)
  }
}

extension SpendReservation {
  /// Nil where nothing is held.
  fileprivate init?(_ id: ProtobufCBinaryData, until expiresAt: Int64, _ amountUSD: Double) {
    guard unsafe id.len > 0 else { return nil }
    unsafe self.init(
      id: id.text, expiresAtUnixMilliseconds: expiresAt, amountUSD: amountUSD)
  }
}

extension ReserveSpendResponse {
  fileprivate init(_ message: Budget__V1__ReserveSpendResponse, _ status: RPCStatus?) {
    self.init()
    isExhausted = status?.code == .resourceExhausted
    self.message = status?.message ?? ""
    denials = unsafe FilterDeploymentsResponse.list(
      message.denials, message.n_denials, Denial.init)
    denialsOmitted = unsafe Int(message.denials_omitted)
    reservation = unsafe SpendReservation(
      message.reservation_id, until: message.expires_at_unix_ms, message.reserved_usd)
  }
}

extension Deployment {
  fileprivate init(_ message: Budget__V1__Deployment) {
    unsafe self.init(
      id: message.id.text, modelName: message.model_name.text, model: message.model.text,
      provider: message.provider.text, isFree: message.free != 0)
    if unsafe message.estimated_cost_usd_presence_case
      == BUDGET__V1__DEPLOYMENT__ESTIMATED_COST_USD_PRESENCE_ESTIMATED_COST_USD
    {
      estimatedCostUSD = unsafe message.estimated_cost_usd
    }
  }
}

extension ExplainRequestResponse {
  fileprivate init(_ message: Budget__V1__ExplainRequestResponse) {
    self.init()
    tags = unsafe FilterDeploymentsResponse.list(
      message.tags, message.n_tags, ExplainedBudget.init)
    candidates = unsafe FilterDeploymentsResponse.list(message.candidates, message.n_candidates) {
      candidate in
      let deployment = unsafe candidate.deployment.map {
        unsafe Deployment($0.pointee)
      }
      return unsafe ExplainedCandidate(
        deployment ?? Deployment(), provider: candidate.provider.text,
        isAllowed: candidate.allowed != 0,
        budgets: FilterDeploymentsResponse.list(
          candidate.budgets, candidate.n_budgets, ExplainedBudget.init))
    }
    candidatesOmitted = unsafe Int(message.candidates_omitted)
    tagsOmitted = unsafe Int(message.tags_omitted)
  }
}

extension ExplainedBudget {
  fileprivate init(_ budget: Budget__V1__ExplainedBudget) {
    unsafe self.init(
      scope: UInt8(exactly: budget.scope.rawValue).flatMap(BudgetScope.init),
      name: budget.name.text,
      verdict: UInt8(exactly: budget.verdict.rawValue).flatMap(Verdict.init),
      reason: budget.reason.text)
    unsafe timePeriod = budget.time_period.text
    unsafe spendUSD = budget.spend_usd
    unsafe pendingUSD = budget.pending_usd
    if unsafe budget.limit_usd_presence_case
      == BUDGET__V1__EXPLAINED_BUDGET__LIMIT_USD_PRESENCE_LIMIT_USD
    {
      unsafe limitUSD = budget.limit_usd
    }
    unsafe withheldUSD = budget.withheld_usd
    if unsafe budget.resets_at_unix_ms_presence_case
      == BUDGET__V1__EXPLAINED_BUDGET__RESETS_AT_UNIX_MS_PRESENCE_RESETS_AT_UNIX_MS
    {
      unsafe resetsAtUnixMilliseconds = budget.resets_at_unix_ms
    }
    mode = unsafe UInt8(exactly: budget.mode.rawValue).flatMap(BudgetMode.init)
    unsafe reservedUSD = budget.reserved_usd
  }
}

extension GetProviderBudgetsResponse {
  fileprivate init(_ message: Budget__V1__GetProviderBudgetsResponse) {
    unsafe providers = FilterDeploymentsResponse.list(
      message.providers, message.n_providers, Budget.init)
    unsafe deployments = FilterDeploymentsResponse.list(
      message.deployments, message.n_deployments, Budget.init)
    unsafe tags = FilterDeploymentsResponse.list(message.tags, message.n_tags, Budget.init)
    unsafe models = FilterDeploymentsResponse.list(message.models, message.n_models, Budget.init)
    unsafe pools = FilterDeploymentsResponse.list(message.pools, message.n_pools, Budget.init)
    unsafe total = FilterDeploymentsResponse.list(message.total, message.n_total, Budget.init)
    if unsafe message.reconciled_at_unix_ms != 0 {
      unsafe reconciledAtUnixMilliseconds = message.reconciled_at_unix_ms
    }
    unsafe nextPageToken = message.next_page_token.text
    reservations = unsafe message.reservations.map { unsafe ReservationTotals($0.pointee) }
  }
}

extension ReservationTotals {
  fileprivate init(_ totals: Budget__V1__ReservationTotals) {
    unsafe open = totals.open
    unsafe openBound = totals.open_bound
    unsafe settled = totals.settled
    unsafe overrunUSD = totals.overrun_usd
    unsafe recordedUSD = totals.recorded_usd
    unsafe unreservedUSD = totals.unreserved_usd
    unsafe nodes = totals.nodes
    unsafe reconcileIntervalMilliseconds = totals.reconcile_interval_ms
  }
}

extension Budget {
  fileprivate init(_ budget: Budget__V1__Budget) {
    unsafe self.init(name: budget.name.text, timePeriod: budget.time_period.text)
    if unsafe budget.limit_usd_presence_case
      == BUDGET__V1__BUDGET__LIMIT_USD_PRESENCE_LIMIT_USD
    {
      unsafe limitUSD = budget.limit_usd
    }
    unsafe spendUSD = budget.spend_usd
    if unsafe budget.remaining_usd_presence_case
      == BUDGET__V1__BUDGET__REMAINING_USD_PRESENCE_REMAINING_USD
    {
      unsafe remainingUSD = budget.remaining_usd
    }
    if unsafe budget.resets_at_unix_ms_presence_case
      == BUDGET__V1__BUDGET__RESETS_AT_UNIX_MS_PRESENCE_RESETS_AT_UNIX_MS
    {
      unsafe resetsAtUnixMilliseconds = budget.resets_at_unix_ms
    }
    unsafe reservedUSD = budget.reserved_usd
    unsafe isExhausted = budget.exhausted != 0
    mode = unsafe UInt8(exactly: budget.mode.rawValue).flatMap(BudgetMode.init)
    if unsafe budget.configured_limit_usd_presence_case
      == BUDGET__V1__BUDGET__CONFIGURED_LIMIT_USD_PRESENCE_CONFIGURED_LIMIT_USD
    {
      unsafe configuredLimitUSD = budget.configured_limit_usd
    }
    if unsafe budget.override_until_unix_ms_presence_case
      == BUDGET__V1__BUDGET__OVERRIDE_UNTIL_UNIX_MS_PRESENCE_OVERRIDE_UNTIL_UNIX_MS
    {
      unsafe overrideUntilUnixMilliseconds = budget.override_until_unix_ms
    }
    overrideVersion = unsafe budget.override_version.text
    overrideReason = unsafe budget.override_reason.text
    timeZone = unsafe budget.time_zone.text
    beginsOn = unsafe budget.begins_on.text
    wouldHaveDenied = unsafe budget.would_have_denied
    quarterHourForecast = unsafe budget.forecast_15m.map { unsafe BudgetForecast($0.pointee) }
    dayForecast = unsafe budget.forecast_24h.map { unsafe BudgetForecast($0.pointee) }
    pattern = unsafe budget.pattern.map { unsafe PatternNames($0.pointee) }
    unsafe openReservations = budget.open_reservations
    unsafe cushionUSD = budget.cushion_usd
    reservationMode = unsafe UInt8(exactly: budget.reservation_mode.rawValue)
      .flatMap(ReservationMode.init)
  }
}

extension PatternNames {
  fileprivate init(_ names: Budget__V1__PatternNames) {
    unsafe self.init(limitUSD: nil, live: names.live)
    if unsafe names.limit_usd_presence_case
      == BUDGET__V1__PATTERN_NAMES__LIMIT_USD_PRESENCE_LIMIT_USD
    {
      unsafe limitUSD = names.limit_usd
    }
  }
}

extension BudgetForecast {
  fileprivate init(_ forecast: Budget__V1__Forecast) {
    unsafe self.init(
      usdPerSecond: forecast.usd_per_second, overSeconds: forecast.over_seconds)
    if unsafe forecast.exhausts_at_unix_ms_presence_case
      == BUDGET__V1__FORECAST__EXHAUSTS_AT_UNIX_MS_PRESENCE_EXHAUSTS_AT_UNIX_MS
    {
      unsafe exhaustsAtUnixMilliseconds = forecast.exhausts_at_unix_ms
    }
  }
}

extension GetSpendHistoryResponse {
  fileprivate init(_ message: Budget__V1__GetSpendHistoryResponse) {
    self.init()
    scope = unsafe UInt8(exactly: message.scope.rawValue).flatMap(BudgetScope.init)
    unsafe name = message.name.text
    unsafe window = message.window.text
    unsafe windows = FilterDeploymentsResponse.list(
      message.windows, message.n_windows, SpendWindow.init)
    unsafe nextPageToken = message.next_page_token.text
    unsafe timeZone = message.time_zone.text
  }
}

extension SpendWindow {
  fileprivate init(_ window: Budget__V1__SpendWindow) {
    unsafe self.init(
      startUnixMilliseconds: window.start_unix_ms, endUnixMilliseconds: window.end_unix_ms)
    unsafe spendUSD = window.spend_usd
    unsafe isOfFleet = window.fleet != 0
    unsafe ownUSD = window.own_usd
    if unsafe window.limit_usd_presence_case
      == BUDGET__V1__SPEND_WINDOW__LIMIT_USD_PRESENCE_LIMIT_USD
    {
      unsafe limitUSD = window.limit_usd
    }
    unsafe isLimitUnknown = window.limit_unknown != 0
    unsafe isOpen = window.open != 0
    unsafe wasReset = window.reset != 0
  }
}

extension PingResponse {
  fileprivate init(_ message: Budget__V1__PingResponse) {
    unsafe version = message.version.text
    unsafe nodeID = message.node_id.text
    unsafe isReady = message.ready != 0
    unsafe durability = message.durability.text
    unsafe storeState = message.store_state.text
    unsafe notReadyReason = message.not_ready_reason.text
    if unsafe message.idempotency_horizon_unix_ms != 0 {
      unsafe idempotencyHorizonUnixMilliseconds = message.idempotency_horizon_unix_ms
    }
    methods = unsafe UnsafeBufferPointer(start: message.methods, count: message.n_methods).map {
      unsafe $0.text
    }
    unsafe role = message.role.text
    unsafe isInsecureNetwork = message.insecure_network != 0
  }
}

extension ResponseMessage.Result {
  /// The answer to a method that changes budgets; nil: the message is not there.
  fileprivate init?(administration response: Budget__V1__Response) {
    if let message = unsafe response.set_budget,
      unsafe response.result_case == BUDGET__V1__RESPONSE__RESULT_SET_BUDGET
    {
      self = unsafe .setBudget(
        SetBudgetResponse(
          message.pointee.change.map { unsafe BudgetOverride($0.pointee) }
            ?? BudgetOverride(BudgetTarget(nil, "")),
          before: message.pointee.before.text))
    } else if let message = unsafe response.clear_budget,
      unsafe response.result_case == BUDGET__V1__RESPONSE__RESULT_CLEAR_BUDGET
    {
      self = unsafe .clearBudget(
        FilterDeploymentsResponse.list(
          message.pointee.changes, message.pointee.n_changes, BudgetOverride.init))
    } else if let message = unsafe response.reset_budget,
      unsafe response.result_case == BUDGET__V1__RESPONSE__RESULT_RESET_BUDGET
    {
      self = unsafe .resetBudget(
        ResetBudgetResponse(
          message.pointee.change.map { unsafe BudgetOverride($0.pointee) }
            ?? BudgetOverride(BudgetTarget(nil, "")),
          spendUSD: message.pointee.spend_usd))
    } else if let message = unsafe response.list_changes,
      unsafe response.result_case == BUDGET__V1__RESPONSE__RESULT_LIST_CHANGES
    {
      self = unsafe .changes(ListChangesResponse(message.pointee))
    } else if let message = unsafe response.reload_config,
      unsafe response.result_case == BUDGET__V1__RESPONSE__RESULT_RELOAD_CONFIG
    {
      self = unsafe .reloadConfig(ReloadConfigResponse(message.pointee))
    } else {
      return nil
    }
  }
}

extension BudgetOverride {
  fileprivate init(_ change: Budget__V1__Override) {
    unsafe self.init(
      BudgetTarget(
        UInt8(exactly: change.scope.rawValue).flatMap(BudgetScope.init), change.name.text,
        window: change.window.text))
    if unsafe change.limit_usd_presence_case
      == BUDGET__V1__OVERRIDE__LIMIT_USD_PRESENCE_LIMIT_USD
    {
      unsafe limitUSD = change.limit_usd
    }
    unsafe hasNoLimit = change.no_limit != 0
    if unsafe change.mode_presence_case == BUDGET__V1__OVERRIDE__MODE_PRESENCE_MODE {
      mode = unsafe UInt8(exactly: change.mode.rawValue).flatMap(BudgetMode.init)
    }
    if unsafe change.reset_to_usd_presence_case
      == BUDGET__V1__OVERRIDE__RESET_TO_USD_PRESENCE_RESET_TO_USD
    {
      unsafe resetToUSD = change.reset_to_usd
    }
    if unsafe change.until_unix_ms != 0 { unsafe untilUnixMilliseconds = change.until_unix_ms }
    unsafe reason = change.reason.text
    unsafe author = change.author.text
    unsafe place = change.place.text
    unsafe madeAtUnixMilliseconds = change.made_at_unix_ms
    unsafe version = change.version.text
    unsafe isCleared = change.cleared != 0
  }
}

extension ListChangesResponse {
  fileprivate init(_ message: Budget__V1__ListChangesResponse) {
    self.init()
    lines = unsafe FilterDeploymentsResponse.list(
      message.lines, message.n_lines, AuditLine.init)
    unsafe nextPageToken = message.next_page_token.text
    inForce = unsafe FilterDeploymentsResponse.list(
      message.in_force, message.n_in_force, BudgetOverride.init)
  }
}

extension AuditLine {
  fileprivate init(_ line: Budget__V1__AuditLine) {
    unsafe self.init(atUnixMilliseconds: line.at_unix_ms, action: line.action.text)
    unsafe author = line.author.text
    unsafe place = line.place.text
    unsafe nodeID = line.node_id.text
    if let scope = unsafe UInt8(exactly: line.scope.rawValue).flatMap(BudgetScope.init) {
      target = unsafe BudgetTarget(scope, line.name.text, window: line.window.text)
    }
    unsafe before = line.before.text
    unsafe after = line.after.text
    unsafe reason = line.reason.text
    unsafe refusal = line.refusal.text
  }
}

extension ReloadConfigResponse {
  fileprivate init(_ message: Budget__V1__ReloadConfigResponse) {
    self.init()
    changes = unsafe UnsafeBufferPointer(start: message.changes, count: message.n_changes).map {
      unsafe $0.text
    }
    changesOmitted = unsafe Int(message.changes_omitted)
    warnings = unsafe UnsafeBufferPointer(start: message.warnings, count: message.n_warnings).map {
      unsafe $0.text
    }
  }
}

extension ProtobufCBinaryData {
  /// The bytes as text of its own.
  fileprivate var text: String { unsafe NameBytes(self).text }
}
