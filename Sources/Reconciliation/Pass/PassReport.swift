public import BudgetModel
public import RedisStore

/// The results of one pass.
public struct PassReport: Sendable {
  /// The store's clock as the pass began.
  public var time = Timestamp(unixMilliseconds: 0)
  /// Nodes of the fleet that were heard of in the last ten seconds, this one included.
  public var nodes = 1
  /// Why nodes could not be counted, where `nodes` is what was last known; nil: they were.
  public var nodesFault: String?
  /// Budgets whose totals were merged by the script.
  public var merged = 0
  /// Windows that became the node's own.
  public var adopted = 0
  /// The sum that the script added to spend keys.
  public var added = PicoUSD.zero
  /// Spend of windows that ended before the store had it: it stays in the ledger.
  public var late: [LateSpend] = []
  /// Markers that were lost and made again, spend keys that were mended.
  public var mended = 0
  /// Budgets that the store could not serve: at most `faultBound` are named.
  public var faults: [BudgetFault] = []
  /// How many there were.
  public var faultCount = 0
  /// Budgets that wait, since the node of a cluster that has their keys is away.
  public var away = 0
  /// Why something of the pass could not be done; nil: all was.
  public var awayReason: String?
  /// Calls that claimed something.
  public var claimed = 0
  /// Those of them that found the fleet learning what it has lost.
  public var learning = 0
  /// Whether it was a pass; else a call on demand.
  public var isOfPass = true
  /// Budgets in which a reservation waits, and that have no window yet.
  public var unopened = 0
  /// Why the store's user may not keep claims; nil: it may, or nobody has tried.
  public var claimsRefusal: String?
  /// Why nodes do not hear of each other's claims on budgets in which they claim nothing, or of
  /// reservations that ended elsewhere; nil: they do, or nobody has tried.
  public var asideRefusal: String?
  /// In how long the next pass is due.
  public var nextPass = Duration.zero
  /// Whether that one need not look at all budgets.
  public var isNextUrgent = false

  /// How many faults a report names.
  public static let faultBound = 20

  /// Spend that came too late.
  public struct LateSpend: Equatable, Sendable {
    /// Whose.
    public var key: BudgetKey
    /// The window it stays in.
    public var start: Timestamp
    /// How much.
    public var amount: PicoUSD
  }

  /// Something wrong with one budget's keys.
  public struct BudgetFault: Equatable, Sendable {
    /// Whose keys.
    public var key: BudgetKey
    /// The fault.
    public var reason: String
    /// Whether the budget is shared all the same.
    public var isShared = false
  }

  /// A report of nothing.
  public init() {}

  mutating func noteAway(_ refusal: RedisRefusal) {
    awayReason = awayReason ?? refusal.text
  }

  /// A call that claimed something was answered.
  mutating func note(_ claim: ClaimReply.State?) {
    guard let claim else { return }
    claimed += 1
    if claim == .learning { learning += 1 }
  }

  /// A call was refused that claimed something: one key of another type is told of.
  mutating func claimRefused(_ refusal: RedisRefusal, for state: BudgetState) {
    guard refusal.isAboutOneKey, !refusal.isForWantOfRights else { return }
    fault(state.key, state.keys.words(refusal))
  }

  mutating func fault(_ key: BudgetKey, _ reason: String, isShared: Bool = false) {
    faultCount += 1
    guard faults.count < Self.faultBound else { return }
    faults.append(BudgetFault(key: key, reason: reason, isShared: isShared))
  }
}

/// Why a pass ended early. The messages that it had sent may have been applied; the next one sends
/// the same or more.
public enum PassFailure: Error, Equatable {
  /// The link to the store broke, or was not to be had.
  case store(RedisError)
  /// The store refuses to work.
  case refused(RedisRefusal)
  /// The store's reply to the named command is not an answer to it.
  case unexpectedReply(command: String)
  /// The store's clock is not believed.
  case clock(ClockDoubt)
  /// The store's clock has moved by more than a pass can last, in the middle of one.
  case clockMoved(from: Timestamp, to: Timestamp)
  /// The node's ledger cannot do its part.
  case node(FleetNodeError)
  /// The ledger has not answered, and reservations wait for room: they are asked for first. Nothing was
  /// done.
  case ledgerIsLate
}

extension PassFailure: CustomStringConvertible {
  /// One sentence.
  public var description: String {
    switch self {
    case .store(let error): "\(error)"
    case .refused(let refusal): "Redis refuses: \(refusal)"
    case .unexpectedReply(let command): "Redis answered \(command) with something else than it does"
    case .clock(let doubt): "\(doubt)"
    case .clockMoved(let before, let now):
      "Redis' clock moved from \(before.iso8601) to \(now.iso8601) during a pass"
    case .node(let error): "the ledger: \(error.reason)"
    case .ledgerIsLate: "the ledger has not answered: its disk is slow"
    }
  }
}
