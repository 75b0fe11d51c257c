import BudgetModel
import Synchronization

/// Whether the node should get traffic: what /readyz and Ping say.
final class Readiness: Sendable {
  let fleet: FleetWatch
  private let recorder: any SpendRecorder
  private let isDraining = Atomic<Bool>(false)

  init(recorder: any SpendRecorder, fleet: FleetWatch = FleetWatch()) {
    self.recorder = recorder
    self.fleet = fleet
  }

  /// The server has begun to end.
  func drain() { isDraining.store(true, ordering: .relaxed) }

  /// Why not, in the order of importance; empty: it is ready. A configuration is always in force: one that
  /// is refused at a reload leaves the one before.
  func reasons(at now: Timestamp) -> [String] {
    var reasons: [String] = []
    if isDraining.load(ordering: .relaxed) { reasons.append("draining: the server is ending") }
    if let reason = recorder.standing(at: now).notReadyReason { reasons.append(reason) }
    if let reason = Self.reason(of: fleet.status) { reasons.append(reason) }
    return reasons
  }

  /// Before the first pass spend of the fleet is unknown, whatever the policy; after it, only
  /// `closed` keeps traffic away.
  static func reason(of fleet: FleetStatus?) -> String? {
    guard let fleet else { return nil }
    if fleet.lastPass == nil { return "Redis: no pass has succeeded yet, the fleet's spend is unknown" }
    guard fleet.isPartitioned, fleet.policy == .closed else { return nil }
    return "Redis: cut off, and the outage policy is closed"
  }
}

extension Optional where Wrapped == FleetStatus {
  /// What Ping calls it.
  var storeState: String {
    switch self {
    case .none: "none"
    case .some(let fleet): fleet.isPartitioned || !fleet.isUp ? "partitioned" : "ok"
    }
  }
}
