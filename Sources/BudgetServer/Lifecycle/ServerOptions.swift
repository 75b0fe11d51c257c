public import BudgetFleet
public import BudgetModel
public import BudgetPages
public import BudgetWire
public import LiteLLMConfig
public import TCPTransport

/// When a reply to RecordSpend leaves, as `--durability` says.
public enum Durability: String, CaseIterable, Sendable {
  /// Once the spend is on disk.
  case commit
  /// At once; on disk within 100 ms.
  case memory

  /// How long records may gather between two commits, where nobody waits for them.
  var gatherInterval: Duration { self == .memory ? .milliseconds(5) : .zero }
}

/// What a server is started with. Bounds have the wire contract's values unless set.
public struct ServerOptions: Sendable {
  /// The path of LiteLLM's config.yaml.
  public var configPath: String
  /// The path of the operator's map from models to providers, if there is one.
  public var providerMapPath: String?
  /// Where the RPC port listens, `HOST:PORT`; port 0 takes a free one.
  public var listen = "127.0.0.1:7077"
  /// Where pages and metrics are served, `HOST:PORT`; port 0 takes a free one; nil: nowhere.
  public var http: String?
  /// How many budgets metrics show.
  public var pages = PageBounds.standard
  /// Whether `listen` and `http` may be addresses that other machines reach.
  public var allowsInsecureNetwork = false
  /// The name that Ping shows; nil: a random one for each start.
  public var nodeID: String?
  /// Where spend is kept; see `DataPlace`.
  public var dataDirectory: String
  /// When a reply to RecordSpend leaves.
  public var durability = Durability.commit
  /// Where copies of the ledger go; nil: `backups` in the data directory.
  public var backupDirectory: String?
  /// How many copies that directory may hold.
  public var backupsKept = 7
  /// Bytes of the disk that a copy must leave free.
  public var backupReserveBytes: Int64 = 256 << 20
  /// How many idempotency keys are remembered: past it the oldest are forgotten early.
  public var keysKept = 20_000_000
  /// Where the Redis that nodes agree through is taken from. Unless it is one that the node can
  /// reach from a thread of its caller's, `off`: the node is alone.
  public var redis = RedisChoice.off
  /// How the node is part of a fleet, where there is a Redis.
  public var fleet = FleetOptions()
  /// Why a budget cannot be shared through a Redis; nil: it can.
  public var sharingComplaint: @Sendable (BudgetKey, RedisSource) -> String? = { _, _ in nil }
  /// Where a trace of the traffic is written; nil: nowhere.
  public var trace: TraceOptions?
  /// How many lanes serve connections.
  public var laneCount = TCPServer.defaultLaneCount
  /// How long a lane looks and waits for more before it gives its thread back.
  public var rest = LaneRest.standard
  /// What peers may use up of connections, bytes and time.
  public var transport = TransportBounds.standard
  /// What one message may hold.
  public var wire = WireBounds.standard

  /// What all connections together may hold where nothing else is said: an eighth of the memory that
  /// the process may have, 8 to 512 MiB.
  public static var unsentTotalBytes: Int { MemoryLimit.ofThisProcess.unsentTotalBytes }

  /// Makes the standard options for one config file.
  public init(configPath: String, dataDirectory: String) {
    self.configPath = configPath
    self.dataDirectory = dataDirectory
  }
}
