import Reconciliation

/// Whether this node is in touch with its fleet, and since when not. A value: time is told to it, as
/// what has passed since the start, and what is to be done comes back.
struct FleetStanding: Equatable, Sendable {
  /// The node's standing.
  enum Phase: Equatable, Sendable {
    case beforeFirstPass
    case inTouch
    case partitioned
  }

  /// The next action.
  enum Action: Equatable, Sendable {
    /// The outage policy is in force from now on, or not any more.
    case beginPolicy
    case endPolicy
    /// Ceilings that the fleet has granted hold no more: the policy says what may be reserved.
    case beginOwnCeilings
    /// People are to be told: once at the beginning of an outage, once at its end.
    case announce
    case announceEnd(after: Duration)
  }

  /// How long after a pass that succeeded the node counts as in touch, where passes take no time.
  let staleness: Duration
  /// How long the last pass took that succeeded: a slow store is not one that is away.
  private(set) var passDuration = Duration.zero
  private(set) var phase = Phase.beforeFirstPass
  /// Since when the node is not in touch; while it is, the last pass.
  private(set) var since = Duration.zero
  /// When the last pass succeeded; nil: none has.
  private(set) var lastPass: Duration?
  /// How many nodes there were then.
  private(set) var nodes: Int?
  /// Why the last pass failed; nil: it has not.
  private(set) var failure: String?
  /// Whether it failed in part: some budgets' servers are there.
  private(set) var isPartial = false
  private var isAnnounced = false
  private var hasOwnCeilings = false
  /// For so long after a pass ceilings hold that the fleet has granted.
  static let ceilingTime = ClaimTerms().useTime - ClaimTerms().margin

  init(staleness: Duration) { self.staleness = staleness }

  /// Whether the outage policy is in force.
  var isPolicyInForce: Bool { phase != .inTouch }

  mutating func passSucceeded(
    at now: Duration, nodes: Int?, took duration: Duration = .zero
  ) -> [Action] {
    defer {
      passDuration = duration
      lastPass = now
      since = now
      // Not counted: what was known holds.
      self.nodes = nodes ?? self.nodes
      failure = nil
      isPartial = false
      phase = .inTouch
      isAnnounced = false
      hasOwnCeilings = false
    }
    guard isPolicyInForce else { return [] }
    return isAnnounced ? [.endPolicy, .announceEnd(after: now - since)] : [.endPolicy]
  }

  mutating func passFailed(
    _ reason: String, at now: Duration, isPartial: Bool = false
  ) -> [Action] {
    failure = reason
    self.isPartial = isPartial
    return tick(at: now)
  }

  /// A cluster finds another master for a part of its keys within seconds; only then the whole store
  /// counts as away.
  static let partialAllowance = Duration.seconds(5)

  /// Time passes.
  mutating func tick(at now: Duration) -> [Action] {
    let actions = look(at: now)
    guard isPolicyInForce, !hasOwnCeilings, now - since > Self.ceilingTime else { return actions }
    hasOwnCeilings = true
    return actions + [.beginOwnCeilings]
  }

  private mutating func look(at now: Duration) -> [Action] {
    switch phase {
    case .partitioned: return []
    case .inTouch:
      let allowance = isPartial ? max(staleness, Self.partialAllowance) : staleness
      guard now - since > allowance + passDuration * 2 else { return [] }
      phase = .partitioned
      isAnnounced = true
      return [.beginPolicy, .announce]
    case .beforeFirstPass:
      guard !isAnnounced, failure != nil || now > staleness else { return [] }
      isAnnounced = true
      return [.announce]
    }
  }
}
