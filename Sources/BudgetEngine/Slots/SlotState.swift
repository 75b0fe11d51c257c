import BudgetModel

/// One budget's spend: the window that was last open, and the amounts under way.
///
/// A value; the shard that holds it serialises access. A window is open until `end`, its last
/// instant; the first charge after it opens the next one. `start` names the window: where LiteLLM
/// opened it on a host whose clock is ahead, it may even lie past its end.
struct SlotState: Sendable {
  /// When windows begin and end. A new one counts from the next window on.
  private(set) var rule: WindowRule
  /// The budget's mode at its limit.
  private(set) var mode: BudgetMode
  /// Whether another budget of the same name is asked after this one.
  private(set) var hasNext: Bool
  /// Whether a dynamic budget stays, whatever its window: somebody has changed its policy.
  var isPinned: Bool
  /// How many budgets have had the slot: a reference to a dynamic budget names it, so that it never
  /// reaches the next owner of the slot. Not 0. Here since it fits between others.
  private(set) var life: UInt32
  /// When the window opened; while `end` is `never`, when a dynamic budget was made.
  private(set) var start: Timestamp
  /// The last instant of the window; `never` where none has been opened.
  private(set) var end: Timestamp
  /// The amount charged to the window.
  private(set) var spend: PicoUSD
  /// The amount queued and not yet charged: it counts for filtering, whatever window it will fall
  /// in.
  private(set) var pending: PicoUSD
  /// The limit in force, or the last one that was.
  private(set) var limit: PicoUSD
  /// The configuration that named the limit; 0: none has.
  private(set) var generation: UInt64
  /// The fleet's part in the budget; nil while there is nothing to say. Apart, since most budgets
  /// of most nodes have none of it, and a million states have to be small.
  private var share: FleetShare?
  /// The sum charged since the process started, over all windows: it only grows.
  private(set) var charged: PicoUSD
  /// The slot in which the budget goes on with windows of another length; `Slot.none` while this
  /// one is in force.
  private(set) var successor: Int32
  /// How many records are queued that charge the slot, those of nothing too.
  private(set) var pendingRecords: UInt32
  /// The row of a dynamic budget; `noHome` where the budget is an entry's.
  var home: UInt32
  /// The place of what reservations keep back, in the shard's table; `Slot.none`: nothing.
  var holds: Int32

  /// The row of a budget that is not dynamic.
  static let noHome = UInt32.max

  /// The end of a window that was never opened: before every instant.
  static let never = Timestamp(unixMilliseconds: .min)

  init(rule: WindowRule) {
    self.rule = rule
    start = Self.never
    end = Self.never
    spend = .zero
    pending = .zero
    charged = .zero
    limit = BudgetCatalog.unlimited
    mode = .enforce
    hasNext = false
    isPinned = false
    generation = 0
    share = nil
    successor = Slot.none
    pendingRecords = 0
    life = 1
    home = Self.noHome
    holds = Slot.none
  }

  /// The state of the slot's next owner, with windows of `rule`: no reference to this one fits it.
  func next(rule: WindowRule) -> SlotState {
    precondition(holds == Slot.none, "a slot is given away with holds in it")
    var next = SlotState(rule: rule)
    next.life = life == .max ? 1 : life + 1
    return next
  }

  /// Whether a dynamic budget is over: its window has ended, nothing waits to be charged, no
  /// reservation keeps something back, and no charge that it was made for can still be on its way.
  func hasEnded(at now: Timestamp) -> Bool {
    pendingRecords == 0 && pending == .zero && !isOpen(at: now) && holds == Slot.none
      && !isPinned && !isAwaited(at: now)
  }

  /// From its making to its first charge a dynamic budget has nothing. If others could have its place
  /// by then, requests that need more places than there are would take them from each other, or from
  /// themselves, for ever.
  private func isAwaited(at now: Timestamp) -> Bool {
    home != Self.noHome && end == Self.never
      && (0..<Self.awaitedMilliseconds).contains(now.unixMilliseconds &- start.unixMilliseconds)
  }

  /// A request is under way for less.
  private static let awaitedMilliseconds: Int64 = 1_000

  /// A dynamic budget takes the slot over, in the row `home`.
  mutating func becomeDynamic(home: UInt32, rule: WindowRule, at now: Timestamp) {
    successor = Slot.none
    self.home = home
    self.rule = rule
    if end == Self.never { start = now }
  }

  /// The next window begins and ends as `rule` says.
  mutating func follow(_ rule: WindowRule) { self.rule = rule }

  /// The spend of others in the window, as far as this node has heard.
  private(set) var others: PicoUSD {
    get { share?.others ?? .zero }
    set { change(newValue, of: \.others) }
  }

  /// The part of the limit that an outage policy sets aside, in the window.
  private(set) var withheld: PicoUSD {
    get { share?.withheld ?? .zero }
    set { change(newValue, of: \.withheld) }
  }

  /// The same in the next window.
  private(set) var withheldNext: PicoUSD {
    get { share?.withheldNext ?? .zero }
    set { change(newValue, of: \.withheldNext) }
  }

  /// The limit that these were reckoned by, nil while nothing is set aside.
  private(set) var withheldLimit: PicoUSD? {
    get { share?.withheldLimit }
    set { change(newValue, of: \.withheldLimit) }
  }

  private mutating func change<Value: Equatable>(
    _ value: Value, of field: WritableKeyPath<FleetShare.Fields, Value>
  ) {
    var fields = share?.fields ?? FleetShare.Fields()
    guard fields[keyPath: field] != value else { return }
    fields[keyPath: field] = value
    share = fields == FleetShare.Fields() ? nil : FleetShare(fields)
  }

  /// A window as it was found: `end` may have passed.
  init(
    rule: WindowRule, window: Window, spend: PicoUSD, others: PicoUSD = .zero
  ) {
    self.init(rule: rule)
    start = window.start
    end = window.end
    self.spend = spend
    self.others = others
    checkInvariants()
  }

  /// Whether a window is open at `now`.
  func isOpen(at now: Timestamp) -> Bool { now <= end }

  /// This node's spend in the open window; zero if none is open.
  func spend(at now: Timestamp) -> PicoUSD { isOpen(at: now) ? spend : .zero }

  /// The spend of others in the open window; zero if none is open.
  func others(at now: Timestamp) -> PicoUSD { isOpen(at: now) ? others : .zero }

  /// The amount set aside in the window that a request would fall in.
  func withheld(at now: Timestamp) -> PicoUSD { isOpen(at: now) ? withheld : withheldNext }

  /// The amount that filtering compares with the limit: the open window's spend, this node's and
  /// others', everything pending, and what is set aside.
  func committedAndPending(at now: Timestamp) -> PicoUSD {
    isOpen(at: now) ? spend + others + withheld + pending : withheldNext + pending
  }

  /// The most that filtering may compare with the limit, at whatever time, until this state changes.
  var mostCompared: PicoUSD { max(spend + others + withheld, withheldNext) + pending }

  /// The slot's gate while `kept` is kept back: open while no request without an estimate can be
  /// denied, at whatever time. An ended window still counts here. That only costs an unneeded lock.
  func gate(keeping kept: PicoUSD) -> UInt64 {
    guard mostCompared + kept < limit, mode != .freeze else { return 0 }
    return SlotGates.open(generation: generation, hasNext: hasNext)
  }

  /// When the window ends that `now` lies in; nil where none is open, unless it is a calendar's.
  func resetsAt(at now: Timestamp) -> Timestamp? {
    isOpen(at: now) ? end : rule.standingWindow(at: now)?.end
  }

  /// When that window began.
  func startedAt(at now: Timestamp) -> Timestamp? {
    isOpen(at: now) ? start : rule.standingWindow(at: now)?.start
  }

  /// Opens a window at `now` with nothing spent, unless one is open.
  mutating func openWindow(at now: Timestamp) {
    guard !isOpen(at: now) else { return }
    let window = rule.window(at: now)
    start = window.start
    end = window.end
    spend = .zero
    others = .zero
    withheld = withheldNext
    checkInvariants()
  }

  /// Ends the open window: its spend is over. Charges from now on, by requests that
  /// resolved their names before the reload, belong to the successor. Pending amounts stay.
  mutating func retire(successor: Int32) {
    self.successor = successor
    end = Self.never
    spend = .zero
    others = .zero
    endWithholding()
    checkInvariants()
  }

  /// The configuration `generation` names the slot (again), with this rule and policy. The open
  /// window ends as it was opened.
  mutating func comeInForce(
    _ rule: WindowRule, _ policy: BudgetPolicy, hasNext: Bool, generation: UInt64
  ) {
    successor = Slot.none
    self.rule = rule
    limit = policy.limit ?? BudgetCatalog.unlimited
    mode = policy.mode
    self.hasNext = hasNext
    self.generation = generation
  }

  /// Another policy is in force, under the same configuration.
  mutating func follow(limit: PicoUSD, _ mode: BudgetMode) {
    self.limit = limit
    self.mode = mode
  }

  /// Makes a window of the fleet the budget's own, in place of those that opened at `replaced`. The
  /// spend of a window that opened meanwhile stays counted, until it is moved too.
  mutating func adopt(
    _ window: BudgetWindowState, replacing replaced: [Timestamp], at now: Timestamp
  ) {
    guard successor == Slot.none else { return }
    if end != Self.never, start == window.start {
      end = window.end
      spend = window.spend
      checkInvariants()
      return
    }
    let isReplaced = end != Self.never && replaced.contains(start)
    // The fleet's window is over already: the one that opened since is the later one.
    guard isReplaced || window.end >= now else { return }
    if !isOpen(at: now) { withheld = withheldNext }
    spend = window.spend + (isReplaced ? .zero : spend(at: now))
    others = window.others
    start = window.start
    end = window.end
    checkInvariants()
  }

  /// Notes what others have spent in the window that opened at `start`; another one stays as it is.
  mutating func show(others: PicoUSD, inWindowFrom start: Timestamp) {
    guard end != Self.never, self.start == start else { return }
    self.others = max(others, .zero)
    checkInvariants()
  }

  /// Sets aside what other nodes may spend of what is left of `limit`: this node's part of it is one
  /// of `nodes`, of the next window's one of `nextNodes`. Reckoned once for a limit: what is spent
  /// meanwhile comes out of this node's part.
  mutating func withhold(of limit: PicoUSD, nodes: Int, nextNodes: Int, at now: Timestamp) {
    guard withheldLimit != limit else { return }
    withheldLimit = limit
    withheld = Self.othersPart(of: limit - spend(at: now) - others(at: now), nodes: nodes)
    withheldNext = Self.othersPart(of: limit, nodes: nextNodes)
    checkInvariants()
  }

  /// The same of a dynamic budget, whose limit is its pattern's.
  mutating func share(_ limit: PicoUSD, among nodes: Int, at now: Timestamp) {
    guard limit != BudgetCatalog.unlimited else { return endWithholding() }
    withhold(of: limit, nodes: nodes, nextNodes: nodes, at: now)
  }

  /// Rounded up: the parts that nodes leave themselves never add up to more than there is.
  private static func othersPart(of rest: PicoUSD, nodes: Int) -> PicoUSD {
    guard rest > .zero, nodes > 1 else { return .zero }
    return rest - PicoUSD(pico: rest.pico / Int128(nodes))
  }

  /// Nothing is set aside any more.
  mutating func endWithholding() {
    withheldLimit = nil
    withheld = .zero
    withheldNext = .zero
  }

  /// Charges `amount` to the window open at `now`, and opens one first where there is none.
  ///
  /// Returns the slot that is to be charged instead: the successor, where there is one.
  mutating func charge(_ amount: PicoUSD, at now: Timestamp) -> Int32 {
    guard successor == Slot.none else { return successor }
    openWindow(at: now)
    spend += amount
    charged += amount
    checkInvariants()
    return Slot.none
  }

  /// Whether nothing is queued for the slot and no window with something in it is open: what it
  /// holds is of no interest to its budget any more.
  func isIdle(at now: Timestamp) -> Bool {
    pendingRecords == 0 && pending == .zero && holds == Slot.none
      && (!isOpen(at: now) || spend == .zero && others == .zero)
  }

  /// Counts `amount`, a record's, as pending.
  mutating func addPending(_ amount: PicoUSD) {
    pending += amount
    pendingRecords += 1
    checkInvariants()
  }

  /// Takes `amount`, the sum of so many records, out of what is pending. Precondition: they were
  /// added.
  mutating func dropPending(_ amount: PicoUSD, records: UInt32 = 1) {
    pending -= amount
    pendingRecords -= records
    checkInvariants()
  }

  /// Kept in release builds: a budget that breaks one of these would admit or deny wrongly.
  private func checkInvariants() {
    precondition(spend >= .zero, "a window's spend fell below zero")
    precondition(others >= .zero, "others' spend fell below zero")
    precondition(withheld >= .zero && withheldNext >= .zero, "less than nothing is withheld")
    precondition(pending >= .zero, "more pending spend was dropped than added")
  }
}

/// The fleet's part in one budget: the spend of others, and the amounts set aside for them.
/// Immutable, so that copies of a state may share it.
final class FleetShare: Sendable {
  struct Fields: Equatable {
    var others = PicoUSD.zero
    var withheld = PicoUSD.zero
    var withheldNext = PicoUSD.zero
    var withheldLimit: PicoUSD?
  }

  let fields: Fields

  init(_ fields: Fields) { self.fields = fields }

  var others: PicoUSD { fields.others }
  var withheld: PicoUSD { fields.withheld }
  var withheldNext: PicoUSD { fields.withheldNext }
  var withheldLimit: PicoUSD? { fields.withheldLimit }
}
