import BudgetWire

/// Who answers, and how it is.
public struct PingResponse: Hashable, Sendable {
  /// The server's version.
  public var version: String
  /// The node's name.
  public var nodeID: String
  /// Whether the node takes requests.
  public var isReady: Bool
  /// Why not; empty when it does.
  public var notReadyReason: String
  /// `commit`: a recorded spend is on disk when the answer comes. `memory`: within 100 ms.
  public var durability: String
  /// `none` without Redis, else `ok` or `partitioned`.
  public var storeState: String
  /// Idempotency keys are remembered back to here, Unix milliseconds; nil = the node remembers
  /// none.
  public var idempotencyHorizonUnixMilliseconds: Int64?

  /// The methods that the server's build has, by their field in `Request`, such as
  /// `filter_deployments`; empty = a build before 0.3.0, which does not say.
  public var methods: [String]

  init(_ result: PingResult) {
    version = result.version
    nodeID = result.nodeID
    isReady = result.isReady
    notReadyReason = result.notReadyReason
    durability = result.durability
    methods = result.methods
    storeState = result.storeState
    let horizon = result.idempotencyHorizonUnixMilliseconds
    idempotencyHorizonUnixMilliseconds = horizon == 0 ? nil : horizon
  }
}
