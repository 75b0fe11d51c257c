/// Who answers, and how it is: the answer to Ping, which is asked without fields.
public struct PingResponse: Hashable, Sendable {
  /// The server's version.
  public var version = ""
  /// The node's name: one per data directory.
  public var nodeID = ""
  /// Whether the node takes requests.
  public var isReady = false
  /// Why not; empty when it does.
  public var notReadyReason = ""
  /// `commit`: a recorded spend is on disk when the answer comes. `memory`: within 100 ms.
  public var durability = ""
  /// `none` without Redis, else `ok` or `partitioned`.
  public var storeState = ""
  /// Idempotency keys are remembered back to here, Unix milliseconds; nil = the node remembers
  /// none.
  public var idempotencyHorizonUnixMilliseconds: Int64?
  /// The methods that the server's build has, by their field in `Request`, such as
  /// `filter_deployments`; empty = a build before 0.3.0, which does not say.
  public var methods: [String] = []
  /// The role of the one who asks: `check`, `read`, `spend` or `admin`; empty = nothing yet, or a server
  /// before 0.6.0. Whoever has not said who they are gets `isReady` and nothing else.
  public var role = ""
  /// Whether other machines reach the server without encryption, or without saying who they are.
  public var isInsecureNetwork = false

  /// An empty answer.
  public init() {}

  func append(to bytes: inout [UInt8]) {
    bytes.appendMessage(MethodName.ping.rawValue) { bytes in
      bytes.appendText(1, version)
      bytes.appendText(2, nodeID)
      bytes.appendFlag(3, isReady)
      bytes.appendText(4, durability)
      bytes.appendText(5, storeState)
      bytes.appendText(6, notReadyReason)
      bytes.appendInteger(7, UInt64(bitPattern: idempotencyHorizonUnixMilliseconds ?? 0))
      for method in methods { bytes.appendEntry(8, method) }
      bytes.appendText(9, role)
      bytes.appendFlag(10, isInsecureNetwork)
    }
  }
}

/// The ledger is copied: the answer to BackupLedger, which is asked with the copy's name.
public struct BackupLedgerResponse: Hashable, Sendable {
  /// The copy's size.
  public var bytes: UInt64
  /// The copy's absolute path on the server's disk; empty from servers before 0.3.0, which do not
  /// say.
  public var path: String

  /// An answer of both its parts.
  public init(bytes: UInt64, path: String) {
    self.bytes = bytes
    self.path = path
  }
}
