/// The cost of a request, and the names whose budgets it counts against.
///
/// At least one of `provider`, `deploymentID`, `model`, `modelName` and `tags` is needed.
public struct RecordSpendRequest: Hashable, Sendable {
  /// The provider, at most 256 bytes; empty = the model list's for `deploymentID`, else derived from
  /// `model`.
  public var provider = ""
  /// The id of the deployment that served the request, at most 256 bytes.
  public var deploymentID = ""
  /// The model, to derive the provider from, at most 256 bytes.
  public var model = ""
  /// The request's tags, at most 256; repeated ones are charged once.
  public var tags: [String] = []
  /// US dollars, 0 to 9,000,000,000; 0 for a free request. Nil sends none, which the server refuses.
  public var costUSD: Double?
  /// Names the record, so that the server adds nothing for a second one with the same key; empty =
  /// none. At most 256 bytes, a UUIDv7 at best.
  public var idempotencyKey = ""
  /// The reservation that this settles, at most 256 bytes; empty = none.
  public var reservationID = ""
  /// The public model name that was asked for, at most 256 bytes; empty = the model list's for
  /// `deploymentID`, else `model`.
  public var modelName = ""

  /// A record of this cost; set whose it is.
  public init(costUSD: Double?) {
    self.costUSD = costUSD
  }

  func append(to bytes: inout [UInt8]) {
    bytes.appendMessage(MethodName.recordSpend.rawValue) { bytes in
      bytes.appendText(1, provider)
      bytes.appendText(2, deploymentID)
      bytes.appendText(3, model)
      for tag in tags { bytes.appendEntry(4, tag) }
      if let costUSD { bytes.appendPresentDouble(5, costUSD) }
      bytes.appendText(6, idempotencyKey)
      bytes.appendText(7, reservationID)
      bytes.appendText(8, modelName)
    }
  }
}

/// The spend is recorded.
public struct RecordSpendResponse: Hashable, Sendable {
  /// The idempotency key was seen before: nothing was added now.
  public var isDuplicate: Bool
  /// How many budgets the cost was added to; 0: no budget has these names.
  public var budgetsCharged: Int

  /// An answer of both its parts.
  public init(isDuplicate: Bool, budgetsCharged: Int) {
    self.isDuplicate = isDuplicate
    self.budgetsCharged = budgetsCharged
  }
}
