import BudgetEngine
import BudgetModel
import BudgetWire

/// What all lanes share: the engine, the clock, the bounds, and who this node is.
struct ServiceContext: Sendable {
  let engine: BudgetEngine
  let time: any TimeSource
  let recorder: any SpendRecorder
  let bounds: WireBounds
  let identity: NodeIdentity
  let counters: ServiceCounters
  let contradictions: ProviderContradictions
  let requests: RequestCounters
  let readiness: Readiness
  /// Nil where the node is alone.
  var fleet: FleetMember? = nil
  /// Nil where no trace is written.
  var trace: TrafficTrace? = nil
}

/// What Ping says of the node.
struct NodeIdentity: Sendable {
  let version: String
  let nodeID: String
}
