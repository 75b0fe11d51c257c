/// The answer to Ping.
public struct PingResult: Hashable, Sendable {
  /// The server's version.
  public var version = ""
  /// The node.
  public var nodeID = ""
  /// Whether the node takes requests.
  public var isReady = false
  /// `commit` or `memory`.
  public var durability = ""
  /// `none`, `ok` or `partitioned`.
  public var storeState = ""
  /// Why the node is not ready; empty when it is.
  public var notReadyReason = ""
  /// Idempotency keys are remembered back to here, Unix milliseconds.
  public var idempotencyHorizonUnixMilliseconds: Int64 = 0

  /// The methods that the build has, by their field in `Request`.
  public var methods: [String] = []

  /// An empty answer.
  public init() {}
}
