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
  /// Calls `body` with each tag, as sent.
  func forEachTag(_ body: (NameBytes) -> Void)
}

/// The fields of a RecordSpend message, whichever way it was read. Names are borrowed from it.
public protocol RecordSpendFields {
  /// The explicit provider.
  var provider: NameBytes { get }
  /// The deployment that served the request.
  var deploymentID: NameBytes { get }
  /// The model, to derive the provider from.
  var model: NameBytes { get }
  /// US dollars, unchecked; nil where the field was absent.
  var costUSD: Double? { get }
  /// Makes a retry harmless; absent = not deduplicated.
  var idempotencyKey: NameBytes { get }
  /// The reservation that this settles.
  var reservationID: NameBytes { get }
  /// The public model name that was asked for.
  var modelName: NameBytes { get }
  /// Calls `body` with each tag, as sent, repeated ones too.
  func forEachTag(_ body: (NameBytes) -> Void)
}
