import BudgetFleet
import BudgetModel
import Synchronization

/// Whether the node should get traffic: what /readyz and Ping say.
final class Readiness: Sendable {
  /// Nil where the node is alone.
  let fleet: FleetMember?
  /// Nil: nobody looks at the clocks.
  let clocks: ClockWatch?
  private let recorder: any SpendRecorder
  /// Nil: connections are in the clear.
  private let security: ServerSecurity?
  private let isDraining = Atomic<Bool>(false)

  init(
    recorder: any SpendRecorder, fleet: FleetMember?, clocks: ClockWatch? = nil,
    security: ServerSecurity? = nil
  ) {
    self.security = security
    self.recorder = recorder
    self.fleet = fleet
    self.clocks = clocks
  }

  /// Matters that people should look at though the node is ready.
  func warnings(at now: Timestamp) -> [String] {
    [clocks?.warning, security?.warning(at: now)].compactMap { $0 }
  }

  /// The server has begun to end.
  func drain() { isDraining.store(true, ordering: .relaxed) }

  /// Why not, the most important first; empty: it is ready. A configuration is always in force: one
  /// that is refused at a reload leaves the one before.
  func reasons(at now: Timestamp) -> [String] {
    var reasons: [String] = []
    if isDraining.load(ordering: .relaxed) { reasons.append("draining: the server is ending") }
    if let reason = recorder.standing(at: now).notReadyReason { reasons.append(reason) }
    if let reason = fleet?.notReadyReason { reasons.append(reason) }
    return reasons
  }
}
