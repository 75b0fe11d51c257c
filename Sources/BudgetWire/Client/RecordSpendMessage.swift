/// What RecordSpend is told.
public struct RecordSpendMessage: Hashable, Sendable {
  /// The explicit provider; empty = derived from `model`.
  public var provider = ""
  /// The deployment that served the request.
  public var deploymentID = ""
  /// The model, to derive the provider from.
  public var model = ""
  /// The request's tags, at most 256.
  public var tags: [String] = []
  /// US dollars; nil sends none, which the server refuses.
  public var costUSD: Double?
  /// Makes a retry harmless; empty = not deduplicated.
  public var idempotencyKey = ""
  /// The reservation that this settles; empty = none.
  public var reservationID = ""

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
    }
  }
}
