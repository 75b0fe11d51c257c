import BudgetEngine
import BudgetModel
import HTTPPort
import TCPTransport

/// All that pages are made of.
struct PageSources: Sendable {
  let engine: BudgetEngine
  let recorder: LedgerRecorder
  let time: any TimeSource
  let transport: TCPServer
  let counters: ServiceCounters
  let requests: RequestCounters
  let readiness: Readiness
  let config: ConfigState
  let http: HTTPCounters
  let identity: NodeIdentity
  /// Nil where no trace is written.
  let trace: TrafficTrace?
  let durability: Durability
  let startedAt: Timestamp
  /// Whether a listener can be reached from other machines.
  let isInsecure: Bool
  let bounds: PageBounds
}

/// How much of the configuration pages show.
public struct PageBounds: Sendable {
  /// Providers with samples: with more there are none.
  public var providers = 10_000
  /// Deployments with samples: with more there are none.
  public var deployments = 5_000
  /// Tags with samples: with more there are none.
  public var tags = 10_000

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
    }
  }
}
