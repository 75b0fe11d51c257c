import BudgetEngine
import BudgetFleet
import BudgetModel
import BudgetPages
import BudgetWire

/// All lanes share this: the engine, the clock, the bounds, and who this node is.
struct ServiceContext: Sendable {
  let engine: BudgetEngine
  let time: any TimeSource
  let recorder: any SpendRecorder
  let bounds: WireBounds
  let identity: NodeIdentity
  var counters: ServiceCounters
  var contradictions: ProviderContradictions
  let requests: AllRequestCounts
  let readiness: Readiness
  /// How fast budgets' money goes.
  let pace: SpendSampling
  let access: AccessDesk
  let audit: AuditLog
  /// The place for changes of budgets; nil: there are none.
  var changes: ChangeDesk? = nil
  /// Whether other machines reach the node without encryption, or without saying who they are.
  var isInsecureNetwork = false
  /// Nil where the node is alone.
  var fleet: FleetMember? = nil
  /// Nil where no trace is written.
  var trace: TrafficTrace? = nil
  /// Counts the names of patterns; nil: they are counted when they are asked for.
  var upkeep: DynamicUpkeep? = nil

  /// Why a request that has a budget is refused; nil: it is not. Cheap: one atomic load.
  @inline(__always)
  var refusal: RPCStatus? {
    guard let reason = fleet?.refusal else { return nil }
    return RPCStatus(.unavailable, reason)
  }
}

/// The node, as Ping tells of it.
struct NodeIdentity: Sendable {
  let version: String
  let nodeID: String
}
