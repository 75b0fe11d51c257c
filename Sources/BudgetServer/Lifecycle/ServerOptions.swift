public import BudgetFleet
public import BudgetModel
public import BudgetPages
public import BudgetWire
public import LiteLLMConfig
public import Sockets
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

/// The options that a server is started with. Bounds have the wire contract's values unless set.
public struct ServerOptions: Sendable {
  /// The path of LiteLLM's config.yaml.
  public var configPath: String
  /// The path of the operator's map from models to providers, if there is one.
  public var providerMapPath: String?
  /// The endpoints of the RPC port, `HOST:PORT` or `unix:PATH`; port 0 takes a free one.
  public var listen = ["127.0.0.1:7077"]
  /// The address of pages and metrics, `HOST:PORT`; port 0 takes a free one; nil: they are not
  /// served.
  public var http: String?
  /// Sockets that listen already, by the names `rpc`, `rpc-tls`, `rpc-unix` and `http`; those of the
  /// RPC port are served beside `listen`, that of the HTTP port in place of `http`.
  public var inherited: [InheritedSocket] = []
  /// How many budgets metrics show.
  public var pages = PageBounds.standard
  /// The path of the file that says who may do what; nil: everybody may do everything.
  public var accessFilePath: String?
  /// Whether metrics need no role, where there is an access file.
  public var isMetricsOpen = false
  /// Whether the other pages need none.
  public var arePagesOpen = false
  /// The files that connections are encrypted with; nil: they are in the clear.
  public var security: SecurityOptions?
  /// Whether `listen` and `http` may be addresses that other machines reach.
  public var allowsInsecureNetwork = false
  /// The name that Ping shows; nil: a random one for each start.
  public var nodeID: String?
  /// The directory that spend is kept in; see `DataPlace`.
  public var dataDirectory: String
  /// When a reply to RecordSpend leaves.
  public var durability = Durability.commit
  /// The directory of the ledger's copies; nil: `backups` in the data directory.
  public var backupDirectory: String?
  /// How many copies that directory may hold.
  public var backupsKept = 7
  /// Bytes of the disk that a copy must leave free.
  public var backupReserveBytes: Int64 = 256 << 20
  /// How many idempotency keys are remembered: past it the oldest are forgotten early.
  public var keysKept = 20_000_000
  /// How many budgets that names get from patterns may be live at a time.
  public var dynamicBudgets = 1_000_000
  /// How many reservations may be open at a time.
  public var maximumOpenReservations = 1_000_000
  /// The cost that is expected of a request of which nothing is known.
  public var defaultEstimate = PicoUSD(pico: 10_000_000_000)
  /// The source of the Redis that nodes agree through. Unless it is one that the node can reach
  /// from a thread of its caller's, `off`: the node is alone.
  public var redis = RedisChoice.off
  /// How the node is part of a fleet, where there is a Redis.
  public var fleet = FleetOptions()
  /// Why a budget cannot be shared through a Redis; nil: it can.
  public var sharingComplaint: @Sendable (BudgetDefinition, RedisSource) -> String? = { _, _ in nil
  }
  /// The files of a trace of the traffic; nil: no trace is written.
  public var trace: TraceOptions?
  /// How many lanes serve connections.
  public var laneCount = TCPServer.defaultLaneCount
  /// How long a lane looks and waits for more before it gives its thread back.
  public var rest = LaneRest.standard
  /// The connections, bytes and time that peers may use up.
  public var transport = TransportBounds.standard
  /// The bounds of one message.
  public var wire = WireBounds.standard

  /// The bytes that all connections together may hold unless set: an eighth of the memory that the
  /// process may have, 8 to 512 MiB.
  public static var unsentTotalBytes: Int { MemoryLimit.ofThisProcess.unsentTotalBytes }

  /// Makes the standard options for one config file.
  public init(configPath: String, dataDirectory: String) {
    self.configPath = configPath
    self.dataDirectory = dataDirectory
  }
}
