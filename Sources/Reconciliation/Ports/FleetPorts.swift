public import BudgetModel
public import RedisStore

/// The node that reconciling runs on, as it reads and changes it: its ledger, its engine, its
/// clock.
///
/// Every call comes from one thread, one at a time. The ledger is the truth: what a call throws, it
/// has not done, or it is harmless to do again.
public protocol FleetNode {
  /// Eight hexadecimal digits, this node's name in the fleet.
  var nodeID: String { get }

  /// The budgets in force, where they are others than under `generation`; nil: the same.
  func budgets(otherThan generation: UInt64?) -> FleetBudgets?

  /// The totals recorded since the last call, committed ones only.
  ///
  /// The first call, and the first after anything went wrong with the ledger, gives everything that
  /// may still matter (`isComplete`): each window that has not ended, and what was known of it.
  func news() throws(FleetNodeError) -> LedgerNews

  /// The same; nil where the ledger does not answer while a reservation waits for the pass: a disk that
  /// stands still keeps nobody waiting who needs none. A later call gives what it answers.
  func newsSoFar() throws(FleetNodeError) -> LedgerNews?

  /// Makes the named windows the node's own: in the ledger, in one transaction, then in the engine.
  ///
  /// Repeating an adoption that was done is harmless.
  func adopt(_ adoptions: [WindowAdoption]) throws(FleetNodeError)

  /// Shows the spend of others, by budgets' positions in `FleetBudgets.budgets`; a window that
  /// the engine does not have open any more is passed over.
  func show(_ views: [FleetView], of generation: UInt64)

  /// Shows the spend of others of budgets that names have from patterns; one that the node has
  /// given back, or whose window is another one, is passed over.
  func showDynamic(_ views: [DynamicView])

  /// Keeps what is known of the fleet's windows, for the next start. Losing it loses no money.
  func remember(_ records: [FleetRecord]) throws(FleetNodeError)

  /// The store's clock said `time`, `roundTrip` at most before now. Throws where the node does not
  /// believe it: the pass ends, since every window would be judged by that clock.
  func heard(_ time: Timestamp, roundTrip: Duration) throws(ClockDoubt)

  /// The fleet time now, as the engine has it.
  func now() -> Timestamp

  /// The name of this life of the node, as its ledger's totals bear it.
  var origin: String { get }

  /// Ended lives of this node's directory, whose claims are this node's to end. None where the
  /// directory may be a copy: the other one's may be alive.
  var endedLives: [String] { get }

  /// Budgets of which this node holds something back, or for which a reservation waits.
  func budgetsInUse() -> [BudgetKey]

  /// Those of them for which a reservation waits.
  func budgetsWaitedFor() -> [BudgetKey]

  /// Has the claims of a budget changed by what the node uses of it, as one step: no reservation
  /// comes in between. Not where the budget's open window is another one.
  func changeClaims(
    of key: BudgetKey, inWindowFrom start: Timestamp,
    _ change: (NodeUse, inout NodeClaims) -> Void)

  /// This node claims nothing more of a budget that a name has from a pattern: it goes by what the node
  /// knows of it, whatever its window.
  func dropClaims(of key: BudgetKey)

  /// The amounts that wait for room in a budget, first come first; the call that follows lists them.
  func takeWaiting(for key: BudgetKey) -> [PicoUSD]

  /// How long the longest of them would be held.
  func waitingTime(for key: BudgetKey) -> Duration

  /// How much of a budget is needed by those that have room there, and wait for room in another one.
  func keptForWaiting(of key: BudgetKey) -> PicoUSD

  /// A call about the budget was answered: those that wait are tried again. `free`: the part of
  /// the limit that nobody has claimed, the call granted; those that were listed and lack more than
  /// that are refused. Nil: the call could not have been granted what it listed, and refuses nobody.
  func answerWaiting(for key: BudgetKey, free: PicoUSD?)

  /// This node's name in the names of its reservations.
  var reservationNode: String { get }

  /// Whether a reservation of this node is open, so that others may have ended it.
  var hasReservations: Bool { get }

  /// Others' reservations that have ended here, by the node that made them. Each is told once.
  func takeEnded() -> [String: [EndedReservation]]

  /// Reservations of this node have ended on others.
  func end(_ ended: [EndedReservation])

  /// The windows that operators' resets began, where they are others than under `edition`; nil: the
  /// same. Windows that began before them are over on every node, whatever the store says.
  func resets(otherThan edition: UInt64?) -> FleetResets?
}

/// The windows that operators have ended.
public struct FleetResets: Sendable {
  /// Another number means other resets.
  public var edition: UInt64
  /// The start of the window that the last reset of each budget began.
  public var starts: [BudgetKey: Timestamp]

  /// Makes them.
  public init(edition: UInt64, starts: [BudgetKey: Timestamp]) {
    self.edition = edition
    self.starts = starts
  }
}

/// The node could not do it now; the next pass tries again.
public struct FleetNodeError: Error, Equatable {
  /// Why, for a log.
  public var reason: String

  /// Makes an error.
  public init(_ reason: String) { self.reason = reason }
}

/// The budgets in force.
public struct FleetBudgets: Sendable {
  /// Another number means other budgets.
  public var generation: UInt64
  /// The budgets; positions in this array name them in `FleetView`.
  public var budgets: [FleetBudget]
  /// The patterns that give names budgets of their own.
  public var patterns: [FleetPattern]

  /// Makes the budgets of one generation.
  public init(generation: UInt64, budgets: [FleetBudget], patterns: [FleetPattern] = []) {
    self.generation = generation
    self.budgets = budgets
    self.patterns = patterns
  }
}

/// A pattern that gives each name with that beginning a budget, as the fleet is concerned.
public struct FleetPattern: Hashable, Sendable {
  /// The kind of the names.
  public var scope: BudgetScope
  /// Their beginning.
  public var prefix: String
  /// The window, as configured.
  public var windowText: String
  /// The limit of each name; nil: unlimited.
  public var limit: PicoUSD?
  /// How reservations in each name's budget are kept within the limit.
  public var mode = ClaimMode.shared
  /// When the windows of each name begin and end.
  public var rule: WindowRule

  /// Makes the fleet's part of a pattern.
  public init(_ pattern: BudgetPattern) {
    scope = pattern.key.scope
    prefix = pattern.prefix
    windowText = pattern.key.windowText
    limit = pattern.policy.limit
    rule = pattern.rule
  }
}

/// One budget, as the fleet is concerned.
public struct FleetBudget: Hashable, Sendable {
  /// Its identity, from which its keys follow.
  public var key: BudgetKey
  /// Its limit; nil: unlimited.
  public var limit: PicoUSD?
  /// When its windows begin and end.
  public var rule: WindowRule
  /// Whose keys it has in the store.
  public var origin: BudgetOrigin
  /// How reservations in it are kept within the limit.
  public var mode = ClaimMode.shared
  /// Whether reservations in it are denied at all.
  public var isBounding = true

  /// Makes a budget.
  public init(key: BudgetKey, limit: PicoUSD?, rule: WindowRule, origin: BudgetOrigin) {
    self.key = key
    self.limit = limit
    self.rule = rule
    self.origin = origin
  }

  /// Makes one of LiteLLM's budgets.
  public init(key: BudgetKey, limit: PicoUSD?, windowLength: WindowLength) {
    self.init(key: key, limit: limit, rule: .rolling(windowLength), origin: .liteLLM)
  }
}

/// The store that the fleet shares, as reconciling uses it: Redis, or a simulated one.
///
/// The key of a command is its first argument. A call that throws has an unknown outcome: none, some or
/// all of it may have been applied. In a cluster a node may be away and others not: what concerns its
/// keys is answered with a refusal of the kind `nodeAway`, of an unknown outcome too.
public protocol FleetStore {
  /// Sends all commands at once; their replies in the same order, refusals among them.
  mutating func perform(_ commands: [[[UInt8]]]) throws(RedisError) -> [RedisValue]

  /// The same, and reads the values of keys: `null` where there is no text.
  mutating func perform(
    _ commands: [[[UInt8]]], reading keys: [[UInt8]]
  ) throws(RedisError) -> (replies: [RedisValue], values: [RedisValue])

  /// Keys that one command reads at most.
  var readBound: Int { get }

  /// How long the last call took, from the first byte sent to the last reply.
  var lastRoundTrip: Duration { get }

  /// Runs the spend script for each call; replies in the order of the calls.
  mutating func evaluate(_ calls: [RedisScriptCall]) throws(RedisError) -> [RedisValue]

  /// Keys of one call of the script have the same slot.
  func slot(of key: [UInt8]) -> Int
}

extension FleetStore {
  /// Enough for one server to answer in a millisecond.
  public var readBound: Int { 1_000 }

  /// All keys are in one place.
  public func slot(of key: [UInt8]) -> Int { 0 }

  /// Reads with MGET, `readBound` keys at a time. Each key of one that was answered with something else
  /// than its values has that as its value.
  public mutating func perform(
    _ commands: [[[UInt8]]], reading keys: [[UInt8]]
  ) throws(RedisError) -> (replies: [RedisValue], values: [RedisValue]) {
    let starts = Array(stride(from: 0, to: keys.count, by: readBound))
    let reads = starts.map { start in
      [Array("MGET".utf8)] + keys[start..<min(start + readBound, keys.count)]
    }
    let replies = try perform(commands + reads)
    guard replies.count == commands.count + reads.count else { return (replies, []) }
    var values: [RedisValue] = []
    values.reserveCapacity(keys.count)
    for (read, reply) in zip(reads, replies[commands.count...]) {
      if let found = reply.array, found.count == read.count - 1 {
        values += found
      } else {
        // A list of another length is no value of any key.
        let fault = reply.refusal == nil ? RedisValue.array([]) : reply
        values += Array(repeating: fault, count: read.count - 1)
      }
    }
    return (Array(replies[..<commands.count]), values)
  }
}
