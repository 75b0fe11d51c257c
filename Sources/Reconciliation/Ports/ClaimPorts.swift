public import BudgetModel

/// How a budget's reservations are kept within its limit by a fleet.
public enum ClaimMode: String, CaseIterable, Sendable {
  /// A hold needs a ceiling that the store has granted.
  case strict
  /// A hold needs room by what was last heard of others.
  case shared
}

/// This node's use of a budget at one instant.
public struct NodeUse: Hashable, Sendable {
  /// Its committed spend in the window, that of its earlier lives included.
  public var committed: PicoUSD
  /// Spend on its way to the disk.
  public var pending = PicoUSD.zero
  /// The amount that open reservations hold back.
  public var held = PicoUSD.zero
  /// The amount that they may cost together beyond that.
  public var cushion = PicoUSD.zero
  /// How many are open.
  public var open = 0
  /// How long the longest of them may still last.
  public var longestRest = Duration.zero
  /// The limit that reservations are denied by, as the node has it; nil: none is.
  public var limit: PicoUSD?

  /// Makes a use of nothing but spend.
  public init(committed: PicoUSD) { self.committed = committed }

  /// The part that it needs beyond its committed spend.
  public var beyondSpend: PicoUSD { pending + held + cushion }
  /// All of it.
  public var total: PicoUSD { committed + beyondSpend }
}

/// The fleet's word that reservations in a budget go by, beside the node's own spend.
public struct NodeClaims: Hashable, Sendable {
  /// The claims of other nodes.
  public var others = PicoUSD.zero
  /// The sum that this node may spend in the window, holds and pending amounts included, in terms of
  /// `NodeUse.committed`; nil: reservations need no ceiling.
  public var ceiling: PicoUSD?
  /// Until then the ceiling holds, fleet time.
  public var usableUntil = Timestamp(unixMilliseconds: 0)
  /// Until then a hold may last that is taken or extended now: the claim in the store outlives it.
  public var coveredUntil = Timestamp.latest
  /// Little is free: amounts that are freed here are the fleet's, and not this node's.
  public var isTight = false

  /// Makes claims of nobody.
  public init() {}

  /// The amount that can still be reserved without asking.
  public func surplus(beyond use: NodeUse, at now: Timestamp) -> PicoUSD {
    guard let ceiling, now <= usableUntil else { return .zero }
    return max(.zero, ceiling - use.total)
  }

  /// Whether an amount can be reserved; `cushion`: how much larger the cushion would be.
  public func admits(
    _ amount: PicoUSD, cushion: PicoUSD = .zero, beyond use: NodeUse, at now: Timestamp
  ) -> Bool {
    guard let ceiling else { return true }
    return now <= usableUntil && use.total + cushion + amount <= ceiling
  }

  /// Gives up what lies further beyond the use than `surplus`. Before the call that tells the store of
  /// it: if the call is lost, the store's claim is the larger one.
  public mutating func lower(to use: NodeUse, keeping surplus: PicoUSD) {
    guard let ceiling else { return }
    self.ceiling = min(ceiling, use.total + surplus)
  }

  /// An amount was freed: a settle, a release, an expiry. Near the limit it is the fleet's.
  public mutating func freed(leaving use: NodeUse) {
    if isTight { lower(to: use, keeping: .zero) }
  }
}

/// A reservation that has ended on another node than the one that made it.
public struct EndedReservation: Hashable, Sendable {
  /// Its name.
  public var id: String
  /// Whether its cost was recorded there; else it was given back.
  public var wasSettled: Bool

  /// Makes one.
  public init(_ id: String, wasSettled: Bool) {
    self.id = id
    self.wasSettled = wasSettled
  }

  /// As it lies in the store.
  var text: [UInt8] { [UInt8(ascii: wasSettled ? "s" : "r")] + id.utf8 }

  /// Reads a text of the store; nil: nobody here has written it.
  init?(text: [UInt8]) {
    guard let kind = text.first, text.count <= Self.longest else { return nil }
    switch kind {
    case UInt8(ascii: "s"): wasSettled = true
    case UInt8(ascii: "r"): wasSettled = false
    default: return nil
    }
    id = String(decoding: text.dropFirst(), as: UTF8.self)
  }

  /// Names are shorter.
  private static let longest = 200
}

extension FleetNode {
  /// A node whose ledger is never busy.
  public func newsSoFar() throws(FleetNodeError) -> LedgerNews? { try news() }

  /// The name of this life of the node, as its ledger's totals bear it.
  public var origin: String { nodeID }

  /// Ended lives of this node's directory, whose claims are this node's to end.
  public var endedLives: [String] { [] }

  /// A node without reservations.
  public func budgetsInUse() -> [BudgetKey] { [] }

  /// All that are in use.
  public func budgetsWaitedFor() -> [BudgetKey] { budgetsInUse() }

  /// Nothing waits.
  public func waitingTime(for key: BudgetKey) -> Duration { .zero }

  /// Its name in the fleet.
  public var reservationNode: String { nodeID }

  /// A node without reservations.
  public var hasReservations: Bool { false }

  /// Nothing has ended here.
  public func takeEnded() -> [String: [EndedReservation]] { [:] }

  /// A node without reservations.
  public func end(_ ended: [EndedReservation]) {}

  /// A node without reservations.
  public func changeClaims(
    of key: BudgetKey, inWindowFrom start: Timestamp,
    _ change: (NodeUse, inout NodeClaims) -> Void
  ) {}

  /// A node without reservations.
  public func dropClaims(of key: BudgetKey) {}

  /// Nothing waits.
  public func takeWaiting(for key: BudgetKey) -> [PicoUSD] { [] }

  /// Nothing waits.
  public func keptForWaiting(of key: BudgetKey) -> PicoUSD { .zero }

  /// Nothing waits.
  public func answerWaiting(for key: BudgetKey, free: PicoUSD?) {}
}
