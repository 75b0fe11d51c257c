public import BudgetModel
import Locks
import Synchronization

extension FleetMember {
  /// The store's state in Ping: `ok`, or `partitioned` while the outage policy is in force.
  public var storeState: String {
    state.withLock { $0.standing.isPolicyInForce } ? "partitioned" : "ok"
  }

  /// When this node last agreed with the store; nil: never.
  public var reconciledAt: Timestamp? { state.withLock { $0.lastPassAt } }

  /// Why requests should go elsewhere; nil: they need not.
  public var notReadyReason: String? {
    let (phase, doubt) = state.withLock { ($0.standing.phase, $0.clockDoubt) }
    if let doubt { return "\(doubt)" }
    switch phase {
    case .inTouch: return nil
    case .beforeFirstPass: return outageText
    case .partitioned: return options.policy == .closed ? "\(outageText); \(policyText)" : nil
    }
  }

  /// Why a request that has a budget is refused; nil: it is not. Cheap: one atomic load.
  public var refusal: String? {
    guard isClosed.load(ordering: .relaxed) else { return nil }
    return "\(outageText). \(policyText)"
  }

  /// The fault, and since when it is there.
  var outageText: String { words.outage }

  /// The effect of the outage, and the way out.
  var policyText: String { words.policy }

  private var words: StandingWords { state.withLock { StandingWords(state: $0, options: options) } }
}

/// Words for how a member stands with its fleet.
private struct StandingWords {
  let state: FleetMemberState
  let options: FleetOptions

  var outage: String {
    let reason = state.standing.failure.map { ": \($0)" } ?? ": no answer yet"
    guard let lastPassAt = state.lastPassAt else {
      return "no agreement with Redis since the start at \(state.startedAt.iso8601)\(reason)"
    }
    let isUnderstood = state.clockDoubt != nil || state.standing.isPartial
    let what = isUnderstood ? "no agreement with Redis" : "Redis is away"
    return "\(what), the last agreement was at \(lastPassAt.iso8601)\(reason)"
  }

  var policy: String {
    switch options.policy {
    case .open:
      "--outage-policy open: budgets go by what this node knows, others' new spend is not seen, "
        + "until Redis answers"
    case .closed:
      "--outage-policy closed: requests that have a budget are refused until Redis answers; share "
        + "and open go on without it"
    case .share:
      "--outage-policy share: this node gives out its part of what is left of each limit, "
        + "\(share), until Redis answers"
    }
  }

  private var share: String {
    if let nodes = state.standing.nodes { return "one of \(nodes)" }
    return "one of \(options.size ?? 1) (--fleet-size) or of as many as were stored"
  }
}
