public import BudgetEngine
public import BudgetFleet
public import BudgetModel
public import HTTPPort
public import SpendLedger
public import TCPTransport

/// All that pages are made of. Facts that change are asked for, each time a page is rendered;
/// nothing here knows who answers.
public struct PageSources: Sendable {
  /// The facts that stay as they are while the node runs.
  public struct Node: Sendable {
    /// The version that it runs.
    public var version: String
    /// Its name.
    public var nodeID: String
    /// When it started, fleet time.
    public var startedAt: Timestamp
    /// When replies to records leave: `commit` or `memory`.
    public var durability = "commit"
    /// Whether a listener can be reached from other machines.
    public var isInsecure = false
    /// The bytes that all RPC connections together may hold.
    public var unsentBoundBytes = 0

    /// Makes the facts of a node.
    public init(version: String, nodeID: String, startedAt: Timestamp) {
      self.version = version
      self.nodeID = nodeID
      self.startedAt = startedAt
    }
  }

  /// The facts that stay as they are.
  public var node: Node
  /// The state of the budgets.
  public var engine: BudgetEngine
  /// Fleet time.
  public var time: any TimeSource
  /// How fast money goes.
  public var pace: SpendSampling
  /// How much of the configuration is shown.
  public var bounds = PageBounds.standard
  /// The counters of the HTTP port.
  public var http = HTTPCounters()
  /// Counts of requests and their answers.
  public var requests: @Sendable () -> RequestReading = { RequestReading() }
  /// How often each budget kept a candidate out: a look at all, then asked by slot.
  public var denials: @Sendable () -> (Int32) -> Int = { { _ in 0 } }
  /// Counts of the RPC port's connections.
  public var traffic: @Sendable () -> TransportCounters = { TransportCounters() }
  /// The outcomes of records.
  public var spend: @Sendable () -> SpendReading = { SpendReading() }
  /// How the ledger is, at an instant.
  public var ledger: @Sendable (Timestamp) -> LedgerReading = { _ in LedgerReading() }
  /// Whether the node is well, at an instant.
  public var standing: @Sendable (Timestamp) -> NodeReading
  /// How the node stands with its fleet; nil: it is alone.
  public var fleet: @Sendable () -> FleetStatus? = { nil }
  /// The windows of budgets, an answer for each question; nil: the ledger does not answer.
  /// May wait for the disk.
  public var history: @Sendable ([HistoryQuestion]) -> [[PastWindow]]? = { _ in nil }
  /// Who may see pages; nil: everybody.
  public var access: PageAccess?
  /// The changes of operators; nil: there are none.
  public var changes: PageChanges?
  /// How often somebody was turned away, and what was written down.
  public var accessReading: @Sendable () -> AccessReading = { AccessReading() }
  /// The trace so far; nil: no trace is written.
  public var trace: @Sendable () -> TraceReading? = { nil }

  /// How often operators were told of budgets by a webhook.
  public var alerts: @Sendable () -> AlertCounts = { AlertCounts() }
  /// How connections are encrypted; nil: they are in the clear.
  public var security: @Sendable () -> SecurityReading? = { nil }

  /// Makes the sources of a node where nothing has happened.
  public init(
    _ node: Node, engine: BudgetEngine, time: any TimeSource,
    standing: @escaping @Sendable (Timestamp) -> NodeReading
  ) {
    self.node = node
    self.engine = engine
    self.time = time
    pace = SpendSampling(engine, time)
    self.standing = standing
  }
}

/// How much of the configuration pages show.
public struct PageBounds: Sendable {
  /// Providers with samples: with more there are none.
  public var providers = 10_000
  /// Deployments with samples: with more there are none.
  public var deployments = 5_000
  /// Tags with samples: with more there are none.
  public var tags = 10_000
  /// Models with samples: with more there are none.
  public var models = 5_000

  /// The bounds as documented.
  public static let standard = PageBounds()

  /// Makes the standard bounds, to be changed one by one.
  public init() {}

  /// The bound of a scope.
  func budgets(_ scope: BudgetScope) -> Int {
    switch scope {
    case .provider: providers
    case .deployment: deployments
    case .tag: tags
    case .model: models
    case .pool, .total: .max
    }
  }
}
