public import BudgetModel

/// A record's own fields as the request has them, without its tags: what a retry must repeat.
///
/// Not the budgets they resolve to: a reload may lie between a try and its retry.
public struct RecordFields {
  /// The provider, as sent.
  public var provider: NameBytes
  /// The deployment's id, as sent.
  public var deploymentID: NameBytes
  /// The model, as sent.
  public var model: NameBytes
  /// The cost of the request.
  public var cost: PicoUSD
  /// The reservation that the record settles.
  public var reservationID: NameBytes

  /// Makes a record's fields; names are absent unless given.
  public init(
    provider: NameBytes = .absent, deploymentID: NameBytes = .absent, model: NameBytes = .absent,
    cost: PicoUSD, reservationID: NameBytes = .absent
  ) {
    self.provider = provider
    self.deploymentID = deploymentID
    self.model = model
    self.cost = cost
    self.reservationID = reservationID
  }
}
