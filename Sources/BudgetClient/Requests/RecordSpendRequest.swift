import BudgetWire

/// What a request cost, and whose budgets that counts against.
///
/// At least one of `provider` (or a `model` that names one), `deploymentID` and `tags` is needed.
public struct RecordSpendRequest: Hashable, Sendable {
  /// US dollars, 0 to 9,000,000,000.
  public var costUSD: Double
  /// The explicit provider; empty = derived from `model`.
  public var provider = ""
  /// The id of the deployment that served the request.
  public var deploymentID = ""
  /// The model, to derive the provider from.
  public var model = ""
  /// The request's tags, at most 256; repeated ones are charged once.
  public var tags: [String] = []
  /// Names the record, so that the server can tell a second one with the same key from a new one,
  /// where it does so; empty = none. At most 256 bytes.
  public var idempotencyKey = ""

  /// A record of this cost; set whose it is.
  public init(costUSD: Double) {
    self.costUSD = costUSD
  }

  var message: RecordSpendMessage {
    var message = RecordSpendMessage(costUSD: costUSD)
    message.provider = provider
    message.deploymentID = deploymentID
    message.model = model
    message.tags = tags
    message.idempotencyKey = idempotencyKey
    return message
  }
}
