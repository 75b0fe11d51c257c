/// How FilterDeployments is to hold an amount back for the candidate that it chooses.
public struct ReserveOptions: Hashable, Sendable {
  /// US dollars for candidates without an `estimatedCostUSD`, 0 to 9,000,000,000; nil = the request's
  /// `estimatedCostUSD` above 0, else what the server has learned.
  public var amountUSD: Double?
  /// Milliseconds after which it is free again, 1,000 to 3,600,000; 0 = 120,000.
  public var ttlMilliseconds: UInt32
  /// Makes a retry harmless; empty = none. At most 256 bytes.
  public var idempotencyKey: String

  /// Options; what is not given is the server's to choose.
  public init(
    amountUSD: Double? = nil, ttlMilliseconds: UInt32 = 0, idempotencyKey: String = ""
  ) {
    self.amountUSD = amountUSD
    self.ttlMilliseconds = ttlMilliseconds
    self.idempotencyKey = idempotencyKey
  }
}

/// An amount that is held back until it is settled by RecordSpend, released, or its time is over.
public struct SpendReservation: Hashable, Sendable {
  /// Names it; at most 256 bytes. No secret.
  public var id: String
  /// When it ends by itself, Unix milliseconds.
  public var expiresAtUnixMilliseconds: Int64
  /// US dollars that are held, in each budget concerned.
  public var amountUSD: Double

  /// A reservation of its parts.
  public init(id: String, expiresAtUnixMilliseconds: Int64, amountUSD: Double) {
    self.id = id
    self.expiresAtUnixMilliseconds = expiresAtUnixMilliseconds
    self.amountUSD = amountUSD
  }
}

/// Holds an amount back in every budget that a record of the same names would be charged to.
///
/// At least one of `provider`, `deploymentID`, `model`, `modelName` and `tags` is needed.
public struct ReserveSpendRequest: Hashable, Sendable {
  /// The provider, at most 256 bytes; empty = the model list's for `deploymentID`, else derived from
  /// `model`.
  public var provider = ""
  /// The id of the deployment, at most 256 bytes.
  public var deploymentID = ""
  /// The model, to derive the provider from, at most 256 bytes.
  public var model = ""
  /// The request's tags, at most 256; repeated ones count once.
  public var tags: [String] = []
  /// US dollars, 0 to 9,000,000,000; 0 = what such requests have cost, as the server has learned.
  public var amountUSD: Double
  /// Milliseconds after which it ends by itself, 1,000 to 3,600,000; 0 = 120,000.
  public var ttlMilliseconds: UInt32 = 0
  /// Makes a retry harmless: the same reservation is given again. Empty = none. At most 256 bytes.
  public var idempotencyKey = ""
  /// The public model name that was asked for, at most 256 bytes; empty = the model list's for
  /// `deploymentID`, else `model`.
  public var modelName = ""

  /// A reservation of this amount; set whose it is.
  public init(amountUSD: Double = 0) {
    self.amountUSD = amountUSD
  }

  func append(to bytes: inout [UInt8]) {
    bytes.appendMessage(MethodName.reserveSpend.rawValue) { bytes in
      bytes.appendText(1, provider)
      bytes.appendText(2, deploymentID)
      bytes.appendText(3, model)
      for tag in tags { bytes.appendEntry(4, tag) }
      bytes.appendDouble(5, amountUSD)
      bytes.appendInteger(6, UInt64(ttlMilliseconds))
      bytes.appendText(7, idempotencyKey)
      bytes.appendText(8, modelName)
    }
  }
}

/// A reservation, or the budgets that have no room for it.
public struct ReserveSpendResponse: Hashable, Sendable {
  /// The reservation; nil: nothing is held.
  public var reservation: SpendReservation?
  /// The budgets without room, at most 1,024.
  public var denials: [Denial] = []
  /// How many there were past those given.
  public var denialsOmitted = 0
  /// Whether a budget had no room: the call's status is RESOURCE_EXHAUSTED, and nothing is held.
  public var isExhausted = false
  /// When exhausted, the status's sentence. Else empty.
  public var message = ""

  /// The answer that nothing is held.
  public init() {}
}
