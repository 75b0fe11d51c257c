public import BudgetModel

/// The fields of a FilterDeployments message beside its candidates, whichever way it was read.
/// Names are borrowed from it.
public protocol FilterDeploymentsFields {
  /// How many candidates were sent.
  var deploymentCount: Int { get }
  /// Whose configured entries are the candidates when none were sent.
  var modelName: NameBytes { get }
  /// US dollars the request is expected to cost, unchecked; 0 = none.
  var estimatedCostUSD: Double { get }
  /// The wish to hold something for the candidate that is chosen.
  var reserve: ReserveTerms { get }
  /// Calls `body` with each tag, as sent.
  func forEachTag(_ body: (NameBytes) -> Void)
}

/// The wish of a FilterDeployments message to hold something. The key is borrowed from it.
public struct ReserveTerms {
  /// Whether something is to be held.
  public var isWanted = false
  /// US dollars, unchecked; nil where the field was absent.
  public var amountUSD: Double?
  /// Milliseconds, unchecked; 0 = none given.
  public var ttlMilliseconds: UInt32 = 0
  /// Makes a retry harmless; absent = not deduplicated.
  public var idempotencyKey = NameBytes.absent

  /// Nothing is to be held.
  @inline(__always)
  public init() {}

  /// The field that says how to reserve though nothing is to be reserved; nil: none does.
  public var strayField: String? {
    if isWanted { return nil }
    if amountUSD != nil { return "reserve_usd" }
    if ttlMilliseconds != 0 { return "reserve_ttl_ms" }
    return idempotencyKey.isEmpty ? nil : "idempotency_key"
  }
}

/// The names that a cost is charged to, whichever way a message was read. Borrowed from it.
public protocol ChargedFields {
  /// The explicit provider.
  var provider: NameBytes { get }
  /// The deployment that served the request.
  var deploymentID: NameBytes { get }
  /// The model, to derive the provider from.
  var model: NameBytes { get }
  /// The public model name that was asked for.
  var modelName: NameBytes { get }
  /// Calls `body` with each tag, as sent, repeated ones too.
  func forEachTag(_ body: (NameBytes) -> Void)
}

/// The fields of a RecordSpend message, whichever way it was read. Names are borrowed from it.
public protocol RecordSpendFields: ChargedFields {
  /// US dollars, unchecked; nil where the field was absent.
  var costUSD: Double? { get }
  /// Makes a retry harmless; absent = not deduplicated.
  var idempotencyKey: NameBytes { get }
  /// The reservation that this settles.
  var reservationID: NameBytes { get }
}

/// The fields of a ReserveSpend message, whichever way it was read. Names are borrowed from it.
public protocol ReserveSpendFields: ChargedFields {
  /// US dollars, unchecked; 0 = what is learned.
  var amountUSD: Double { get }
  /// Milliseconds, unchecked; 0 = none given.
  var ttlMilliseconds: UInt32 { get }
  /// Makes a retry harmless; absent = not deduplicated.
  var idempotencyKey: NameBytes { get }
}
