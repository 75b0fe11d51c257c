public import BudgetModel
import CBudgetWire

// Why the views are safe: each holds a pointer into the decoder's arena, made by protobuf-c from
// bytes that the walk had passed, and hands out values and `NameBytes` only. They are valid until the
// decoder is used again, which is its lane's to know, and must not be kept beyond that, as
// `NameBytes` must not. A list's pointer is read below its count only.

/// A `FilterDeploymentsRequest`.
@safe public struct FilterDeploymentsView: FilterDeploymentsFields {
  private let message: UnsafePointer<Budget__V1__FilterDeploymentsRequest>

  init(_ message: UnsafePointer<Budget__V1__FilterDeploymentsRequest>) {
    unsafe self.message = message
  }

  /// How many candidates were sent, at most 1,024.
  public var deploymentCount: Int { unsafe message.pointee.n_deployments }

  /// The candidate at `index`, which lies in `0..<deploymentCount`.
  public func deployment(at index: Int) -> DeploymentNames {
    precondition(index >= 0 && index < deploymentCount, "a deployment outside the request")
    guard let deployment = unsafe message.pointee.deployments[index] else {
      preconditionFailure("protobuf-c left an entry of a list empty")
    }
    return unsafe DeploymentNames(deployment.pointee)
  }

  /// How many tags were sent, at most 256.
  public var tagCount: Int { unsafe message.pointee.n_tags }

  /// The tag at `index`, which lies in `0..<tagCount`.
  public func tag(at index: Int) -> NameBytes {
    precondition(index >= 0 && index < tagCount, "a tag outside the request")
    return unsafe NameBytes(message.pointee.tags[index])
  }

  /// Calls `body` with each tag.
  public func forEachTag(_ body: (NameBytes) -> Void) {
    for index in 0..<tagCount { body(tag(at: index)) }
  }

  /// Whose configured entries are the candidates when none were sent.
  public var modelName: NameBytes { unsafe NameBytes(message.pointee.model_name) }

  /// US dollars the request is expected to cost, unchecked; 0 = none.
  public var estimatedCostUSD: Double { unsafe message.pointee.estimated_cost_usd }

  /// The wish to hold something for the candidate that is chosen.
  public var reserve: ReserveTerms {
    var terms = ReserveTerms()
    terms.isWanted = unsafe message.pointee.reserve != 0
    if unsafe message.pointee.reserve_usd_presence_case
      == BUDGET__V1__FILTER_DEPLOYMENTS_REQUEST__RESERVE_USD_PRESENCE_RESERVE_USD
    {
      terms.amountUSD = unsafe message.pointee.reserve_usd
    }
    terms.ttlMilliseconds = unsafe message.pointee.reserve_ttl_ms
    terms.idempotencyKey = unsafe NameBytes(message.pointee.idempotency_key)
    return terms
  }
}

extension RequestDecoder {
  /// The message of a FilterDeployments or ExplainRequest request.
  public mutating func filterDeployments(
    _ head: RequestHead
  ) throws(WireFault) -> FilterDeploymentsView {
    try unsafe FilterDeploymentsView(
      unpack(head, budget__v1__filter_deployments_request__unpack))
  }
}

/// A `RecordSpendRequest`.
@safe public struct RecordSpendView: RecordSpendFields {
  private let message: UnsafePointer<Budget__V1__RecordSpendRequest>

  init(_ message: UnsafePointer<Budget__V1__RecordSpendRequest>) {
    unsafe self.message = message
  }

  /// The explicit provider; absent = derived from `model`.
  public var provider: NameBytes { unsafe NameBytes(message.pointee.provider) }
  /// The deployment that served the request.
  public var deploymentID: NameBytes { unsafe NameBytes(message.pointee.deployment_id) }
  /// The model, to derive the provider from.
  public var model: NameBytes { unsafe NameBytes(message.pointee.model) }

  /// How many tags were sent, at most 256, repeated ones included.
  public var tagCount: Int { unsafe message.pointee.n_tags }

  /// The tag at `index`, which lies in `0..<tagCount`.
  public func tag(at index: Int) -> NameBytes {
    precondition(index >= 0 && index < tagCount, "a tag outside the request")
    return unsafe NameBytes(message.pointee.tags[index])
  }

  /// Calls `body` with each tag.
  public func forEachTag(_ body: (NameBytes) -> Void) {
    for index in 0..<tagCount { body(tag(at: index)) }
  }

  /// US dollars, unchecked; nil where the field was absent.
  public var costUSD: Double? {
    let isPresent =
      unsafe message.pointee.cost_usd_presence_case
      == BUDGET__V1__RECORD_SPEND_REQUEST__COST_USD_PRESENCE_COST_USD
    return isPresent ? unsafe message.pointee.cost_usd : nil
  }

  /// Makes a retry harmless; absent = not deduplicated.
  public var idempotencyKey: NameBytes { unsafe NameBytes(message.pointee.idempotency_key) }
  /// The reservation that this settles.
  public var reservationID: NameBytes { unsafe NameBytes(message.pointee.reservation_id) }
  /// The public model name that was asked for.
  public var modelName: NameBytes { unsafe NameBytes(message.pointee.model_name) }
}

extension RequestDecoder {
  /// The message of a RecordSpend request.
  public mutating func recordSpend(_ head: RequestHead) throws(WireFault) -> RecordSpendView {
    try unsafe RecordSpendView(unpack(head, budget__v1__record_spend_request__unpack))
  }
}

/// A `ReserveSpendRequest`.
@safe public struct ReserveSpendView: ReserveSpendFields {
  private let message: UnsafePointer<Budget__V1__ReserveSpendRequest>

  init(_ message: UnsafePointer<Budget__V1__ReserveSpendRequest>) {
    unsafe self.message = message
  }

  /// The explicit provider; absent = derived from `model`.
  public var provider: NameBytes { unsafe NameBytes(message.pointee.provider) }
  /// The deployment.
  public var deploymentID: NameBytes { unsafe NameBytes(message.pointee.deployment_id) }
  /// The model, to derive the provider from.
  public var model: NameBytes { unsafe NameBytes(message.pointee.model) }
  /// The public model name that was asked for.
  public var modelName: NameBytes { unsafe NameBytes(message.pointee.model_name) }
  /// US dollars, unchecked; 0 = what is learned.
  public var amountUSD: Double { unsafe message.pointee.amount_usd }
  /// Milliseconds, unchecked; 0 = none given.
  public var ttlMilliseconds: UInt32 { unsafe message.pointee.ttl_ms }
  /// Makes a retry harmless; absent = not deduplicated.
  public var idempotencyKey: NameBytes { unsafe NameBytes(message.pointee.idempotency_key) }

  /// Calls `body` with each tag.
  public func forEachTag(_ body: (NameBytes) -> Void) {
    for index in 0..<(unsafe message.pointee.n_tags) {
      body(unsafe NameBytes(message.pointee.tags[index]))
    }
  }
}

extension RequestDecoder {
  /// The message of a ReserveSpend request.
  public mutating func reserveSpend(_ head: RequestHead) throws(WireFault) -> ReserveSpendView {
    try unsafe ReserveSpendView(unpack(head, budget__v1__reserve_spend_request__unpack))
  }
}

/// A `ReleaseReservationRequest`.
@safe public struct ReleaseReservationView {
  private let message: UnsafePointer<Budget__V1__ReleaseReservationRequest>

  init(_ message: UnsafePointer<Budget__V1__ReleaseReservationRequest>) {
    unsafe self.message = message
  }

  /// The reservation.
  public var reservationID: NameBytes { unsafe NameBytes(message.pointee.reservation_id) }
}

extension RequestDecoder {
  /// The message of a ReleaseReservation request.
  public mutating func releaseReservation(
    _ head: RequestHead
  ) throws(WireFault) -> ReleaseReservationView {
    try unsafe ReleaseReservationView(
      unpack(head, budget__v1__release_reservation_request__unpack))
  }
}

/// An `ExtendReservationRequest`.
@safe public struct ExtendReservationView {
  private let message: UnsafePointer<Budget__V1__ExtendReservationRequest>

  init(_ message: UnsafePointer<Budget__V1__ExtendReservationRequest>) {
    unsafe self.message = message
  }

  /// The reservation.
  public var reservationID: NameBytes { unsafe NameBytes(message.pointee.reservation_id) }
  /// Milliseconds from now, unchecked; 0 = none given.
  public var ttlMilliseconds: UInt32 { unsafe message.pointee.ttl_ms }
}

extension RequestDecoder {
  /// The message of an ExtendReservation request.
  public mutating func extendReservation(
    _ head: RequestHead
  ) throws(WireFault) -> ExtendReservationView {
    try unsafe ExtendReservationView(
      unpack(head, budget__v1__extend_reservation_request__unpack))
  }
}

/// A `GetProviderBudgetsRequest`.
@safe public struct GetProviderBudgetsView {
  private let message: UnsafePointer<Budget__V1__GetProviderBudgetsRequest>

  init(_ message: UnsafePointer<Budget__V1__GetProviderBudgetsRequest>) {
    unsafe self.message = message
  }

  /// How many providers were named, at most 1,024; 0 = all.
  public var providerCount: Int { unsafe message.pointee.n_providers }

  /// The provider at `index`, which lies in `0..<providerCount`.
  public func provider(at index: Int) -> NameBytes {
    precondition(index >= 0 && index < providerCount, "a provider outside the request")
    return unsafe NameBytes(message.pointee.providers[index])
  }

  /// Whether deployments' budgets are wanted too.
  public var includesDeployments: Bool { unsafe message.pointee.include_deployments != 0 }
  /// Whether tags' budgets are wanted too.
  public var includesTags: Bool { unsafe message.pointee.include_tags != 0 }
  /// The most budgets of a page, unchecked; 0 = 1,000.
  public var pageSize: UInt32 { unsafe message.pointee.page_size }
  /// The page before's token; absent = the first page.
  public var pageToken: NameBytes { unsafe NameBytes(message.pointee.page_token) }

  /// Whether models' budgets are wanted too.
  public var includesModels: Bool { unsafe message.pointee.include_models != 0 }
  /// Whether the budgets of pools and of the total are wanted too.
  public var includesPools: Bool { unsafe message.pointee.include_pools != 0 }

  /// How many models were named, at most 1,024; 0 = all.
  public var modelCount: Int { unsafe message.pointee.n_models }

  /// The model at `index`, which lies in `0..<modelCount`.
  public func model(at index: Int) -> NameBytes {
    precondition(index >= 0 && index < modelCount, "a model outside the request")
    return unsafe NameBytes(message.pointee.models[index])
  }

  /// How many deployments were named, at most 1,024; 0 = all.
  public var deploymentIDCount: Int { unsafe message.pointee.n_deployment_ids }

  /// The deployment id at `index`, which lies in `0..<deploymentIDCount`.
  public func deploymentID(at index: Int) -> NameBytes {
    precondition(index >= 0 && index < deploymentIDCount, "a deployment id outside the request")
    return unsafe NameBytes(message.pointee.deployment_ids[index])
  }

  /// The pattern whose names' budgets are wanted instead of all others; absent: none.
  public var pattern: NameBytes { unsafe NameBytes(message.pointee.pattern) }
  /// How many of them, unchecked; 0 = 20.
  public var nearest: UInt32 { unsafe message.pointee.nearest }

  /// How many tags were named, at most 256; 0 = all.
  public var tagCount: Int { unsafe message.pointee.n_tags }

  /// The tag at `index`, which lies in `0..<tagCount`.
  public func tag(at index: Int) -> NameBytes {
    precondition(index >= 0 && index < tagCount, "a tag outside the request")
    return unsafe NameBytes(message.pointee.tags[index])
  }
}

extension RequestDecoder {
  /// The message of a GetProviderBudgets request.
  public mutating func getProviderBudgets(
    _ head: RequestHead
  ) throws(WireFault) -> GetProviderBudgetsView {
    try unsafe GetProviderBudgetsView(
      unpack(head, budget__v1__get_provider_budgets_request__unpack))
  }
}

/// A `GetSpendHistoryRequest`.
@safe public struct GetSpendHistoryView {
  private let message: UnsafePointer<Budget__V1__GetSpendHistoryRequest>

  init(_ message: UnsafePointer<Budget__V1__GetSpendHistoryRequest>) {
    unsafe self.message = message
  }

  /// The kind of thing that the budget applies to; nil: unspecified, or not known here.
  public var scope: BudgetScope? {
    unsafe UInt8(exactly: message.pointee.scope.rawValue).flatMap(BudgetScope.init)
  }
  /// The budget's name within its scope.
  public var name: NameBytes { unsafe NameBytes(message.pointee.name) }
  /// The window as configured; absent where the name has one budget.
  public var window: NameBytes { unsafe NameBytes(message.pointee.window) }
  /// The most windows of a page, unchecked; 0 = 100.
  public var pageSize: UInt32 { unsafe message.pointee.page_size }
  /// The page before's token; absent = the first page.
  public var pageToken: NameBytes { unsafe NameBytes(message.pointee.page_token) }
}

extension RequestDecoder {
  /// The message of a GetSpendHistory request.
  public mutating func getSpendHistory(
    _ head: RequestHead
  ) throws(WireFault) -> GetSpendHistoryView {
    try unsafe GetSpendHistoryView(
      unpack(head, budget__v1__get_spend_history_request__unpack))
  }
}

/// The budget that a request of administration names.
public struct NamedTarget {
  /// The kind of thing that the budget applies to; nil: unspecified, or not known here.
  public let scope: BudgetScope?
  /// The budget's name within its scope.
  public let name: NameBytes
  /// The window as configured.
  public let window: NameBytes

  @unsafe fileprivate init(
    _ scope: Budget__V1__Scope, _ name: ProtobufCBinaryData, _ window: ProtobufCBinaryData
  ) {
    self.scope = UInt8(exactly: scope.rawValue).flatMap(BudgetScope.init)
    self.name = unsafe NameBytes(name)
    self.window = unsafe NameBytes(window)
  }
}

/// A `SetBudgetRequest`.
@safe public struct SetBudgetView {
  private let message: UnsafePointer<Budget__V1__SetBudgetRequest>

  init(_ message: UnsafePointer<Budget__V1__SetBudgetRequest>) { unsafe self.message = message }

  /// Whose budget.
  public var target: NamedTarget {
    unsafe NamedTarget(message.pointee.scope, message.pointee.name, message.pointee.window)
  }
  /// US dollars, unchecked; nil where the field was absent.
  public var limitUSD: Double? {
    let isPresent =
      unsafe message.pointee.limit_usd_presence_case
      == BUDGET__V1__SET_BUDGET_REQUEST__LIMIT_USD_PRESENCE_LIMIT_USD
    return isPresent ? unsafe message.pointee.limit_usd : nil
  }
  /// Whether there is to be no limit.
  public var hasNoLimit: Bool { unsafe message.pointee.no_limit != 0 }
  /// Whether a mode was given.
  public var hasMode: Bool {
    unsafe message.pointee.mode_presence_case
      == BUDGET__V1__SET_BUDGET_REQUEST__MODE_PRESENCE_MODE
  }
  /// The mode; nil: none was given, or it is not known here.
  public var mode: BudgetMode? {
    hasMode ? unsafe UInt8(exactly: message.pointee.mode.rawValue).flatMap(BudgetMode.init) : nil
  }
  /// When it ends by itself, Unix milliseconds, unchecked; 0 = when it is cleared.
  public var untilUnixMilliseconds: Int64 { unsafe message.pointee.until_unix_ms }
  /// Why.
  public var reason: NameBytes { unsafe NameBytes(message.pointee.reason) }
  /// The version that is to be in force; nil where the field was absent.
  public var ifVersion: NameBytes? {
    let isPresent =
      unsafe message.pointee.if_version_presence_case
      == BUDGET__V1__SET_BUDGET_REQUEST__IF_VERSION_PRESENCE_IF_VERSION
    return isPresent ? unsafe NameBytes(message.pointee.if_version) : nil
  }
}

/// A `ClearBudgetRequest`.
@safe public struct ClearBudgetView {
  private let message: UnsafePointer<Budget__V1__ClearBudgetRequest>

  init(_ message: UnsafePointer<Budget__V1__ClearBudgetRequest>) { unsafe self.message = message }

  /// Whose changes.
  public var target: NamedTarget {
    unsafe NamedTarget(message.pointee.scope, message.pointee.name, message.pointee.window)
  }
  /// Why.
  public var reason: NameBytes { unsafe NameBytes(message.pointee.reason) }
}

/// A `ResetBudgetRequest`.
@safe public struct ResetBudgetView {
  private let message: UnsafePointer<Budget__V1__ResetBudgetRequest>

  init(_ message: UnsafePointer<Budget__V1__ResetBudgetRequest>) { unsafe self.message = message }

  /// Whose window.
  public var target: NamedTarget {
    unsafe NamedTarget(message.pointee.scope, message.pointee.name, message.pointee.window)
  }
  /// The spend that the new window begins with, US dollars, unchecked.
  public var toUSD: Double { unsafe message.pointee.to_usd }
  /// Why.
  public var reason: NameBytes { unsafe NameBytes(message.pointee.reason) }
}

/// A `ListChangesRequest`.
@safe public struct ListChangesView {
  private let message: UnsafePointer<Budget__V1__ListChangesRequest>

  init(_ message: UnsafePointer<Budget__V1__ListChangesRequest>) { unsafe self.message = message }

  /// The most lines of a page, unchecked; 0 = 100.
  public var pageSize: UInt32 { unsafe message.pointee.page_size }
  /// The page before's token; absent = the first page.
  public var pageToken: NameBytes { unsafe NameBytes(message.pointee.page_token) }
  /// Only lines from then on, Unix milliseconds; 0 = all.
  public var sinceUnixMilliseconds: Int64 { unsafe message.pointee.since_unix_ms }
}

extension RequestDecoder {
  /// The message of a SetBudget request.
  public mutating func setBudget(_ head: RequestHead) throws(WireFault) -> SetBudgetView {
    try unsafe SetBudgetView(unpack(head, budget__v1__set_budget_request__unpack))
  }

  /// The message of a ClearBudget request.
  public mutating func clearBudget(_ head: RequestHead) throws(WireFault) -> ClearBudgetView {
    try unsafe ClearBudgetView(unpack(head, budget__v1__clear_budget_request__unpack))
  }

  /// The message of a ResetBudget request.
  public mutating func resetBudget(_ head: RequestHead) throws(WireFault) -> ResetBudgetView {
    try unsafe ResetBudgetView(unpack(head, budget__v1__reset_budget_request__unpack))
  }

  /// The message of a ListChanges request.
  public mutating func listChanges(_ head: RequestHead) throws(WireFault) -> ListChangesView {
    try unsafe ListChangesView(unpack(head, budget__v1__list_changes_request__unpack))
  }
}

/// A `BackupLedgerRequest`.
@safe public struct BackupLedgerView {
  private let message: UnsafePointer<Budget__V1__BackupLedgerRequest>

  init(_ message: UnsafePointer<Budget__V1__BackupLedgerRequest>) {
    unsafe self.message = message
  }

  /// The copy's name within the server's backup directory; absent = one made of the date.
  public var path: NameBytes { unsafe NameBytes(message.pointee.path) }
}

extension RequestDecoder {
  /// The message of a BackupLedger request.
  public mutating func backupLedger(_ head: RequestHead) throws(WireFault) -> BackupLedgerView {
    try unsafe BackupLedgerView(unpack(head, budget__v1__backup_ledger_request__unpack))
  }
}

/// An `AuthenticateRequest`.
@safe public struct AuthenticateView {
  private let message: UnsafePointer<Budget__V1__AuthenticateRequest>

  init(_ message: UnsafePointer<Budget__V1__AuthenticateRequest>) {
    unsafe self.message = message
  }

  /// The secret.
  public var token: NameBytes { unsafe NameBytes(message.pointee.token) }
}

extension RequestDecoder {
  /// The message of an Authenticate request.
  public mutating func authenticate(_ head: RequestHead) throws(WireFault) -> AuthenticateView {
    try unsafe AuthenticateView(unpack(head, budget__v1__authenticate_request__unpack))
  }
}

extension DeploymentNames {
  fileprivate init(_ message: Budget__V1__Deployment) {
    self.init()
    id = unsafe NameBytes(message.id)
    modelName = unsafe NameBytes(message.model_name)
    model = unsafe NameBytes(message.model)
    provider = unsafe NameBytes(message.provider)
    isFree = unsafe message.free != 0
    if unsafe message.estimated_cost_usd_presence_case
      == BUDGET__V1__DEPLOYMENT__ESTIMATED_COST_USD_PRESENCE_ESTIMATED_COST_USD
    {
      estimatedCostUSD = unsafe message.estimated_cost_usd
    }
  }
}

extension NameBytes {
  /// Borrows what protobuf-c hands over for a string: a pointer and a length.
  @unsafe init(_ data: ProtobufCBinaryData) {
    unsafe self.init(base: data.data, count: data.len)
  }
}
