import BudgetModel

/// What is known of one budget's spend: the window that was last open, and what is under way.
///
/// A value; the shard that holds it serialises access. A window is open from `start` to `end`, both
/// included; the first charge after `end` opens the next one.
struct SlotState: Sendable {
  /// How long each window lasts.
  let windowLength: WindowLength
  /// When the window opened; meaningless while `end` is `never`.
  private(set) var start: Timestamp
  /// The last instant of the window; `never` where none has been opened.
  private(set) var end: Timestamp
  /// What has been charged to the window.
  private(set) var spend: PicoUSD
  /// What is queued and not yet charged: it counts for filtering, whatever window it will fall in.
  private(set) var pending: PicoUSD
  /// The limit in force, or the last one that was.
  private(set) var limit: PicoUSD
  /// The configuration that named the limit; 0: none has.
  private(set) var generation: UInt64
  /// The slot in which the budget goes on with windows of another length; `Slot.none` while this
  /// one is in force.
  private(set) var successor: Int32

  /// The end of a window that was never opened: before every instant.
  static let never = Timestamp(unixMilliseconds: .min)

  init(windowLength: WindowLength) {
    self.windowLength = windowLength
    start = Self.never
    end = Self.never
    spend = .zero
    pending = .zero
    limit = BudgetCatalog.unlimited
    generation = 0
    successor = Slot.none
  }

  /// A window as it was found: `end` may have passed.
  init(windowLength: WindowLength, start: Timestamp, end: Timestamp, spend: PicoUSD) {
    self.init(windowLength: windowLength)
    self.start = start
    self.end = end
    self.spend = spend
    checkInvariants()
  }

  /// Whether a window is open at `now`.
  func isOpen(at now: Timestamp) -> Bool { now <= end }

  /// What the open window holds; zero where none is open.
  func spend(at now: Timestamp) -> PicoUSD { isOpen(at: now) ? spend : .zero }

  /// What filtering compares with the limit: spend of the open window and everything pending.
  func committedAndPending(at now: Timestamp) -> PicoUSD { spend(at: now) + pending }

  /// What the slot's gate says: open while no request without an estimate can be denied, at whatever
  /// time. What the end of the window takes away is left in: then the lock is taken for nothing.
  var gate: UInt64 {
    spend + pending < limit ? SlotGates.open(generation: generation) : 0
  }

  /// When the open window ends; nil where none is open.
  func resetsAt(at now: Timestamp) -> Timestamp? { isOpen(at: now) ? end : nil }

  /// Opens a window at `now` with nothing spent, unless one is open.
  mutating func openWindow(at now: Timestamp) {
    guard !isOpen(at: now) else { return }
    start = now
    end = windowLength.end(ofWindowFrom: now)
    spend = .zero
    checkInvariants()
  }

  /// Ends the open window: its spend is over. What is charged from now on, by requests that
  /// resolved their names before the reload, belongs to the successor. Pending amounts stay.
  mutating func retire(successor: Int32) {
    self.successor = successor
    end = Self.never
    spend = .zero
    checkInvariants()
  }

  /// The configuration `generation` names the slot (again), with this limit.
  mutating func comeInForce(limit: PicoUSD, generation: UInt64) {
    successor = Slot.none
    self.limit = limit
    self.generation = generation
  }

  /// Charges `amount` to the window open at `now`, and opens one first where there is none.
  ///
  /// Returns the slot that is to be charged instead: the successor, where there is one.
  mutating func charge(_ amount: PicoUSD, at now: Timestamp) -> Int32 {
    guard successor == Slot.none else { return successor }
    openWindow(at: now)
    spend += amount
    checkInvariants()
    return Slot.none
  }

  /// Counts `amount` as pending.
  mutating func hold(_ amount: PicoUSD) {
    pending += amount
    checkInvariants()
  }

  /// Takes `amount` out of what is pending. Precondition: that much was held.
  mutating func release(_ amount: PicoUSD) {
    pending -= amount
    checkInvariants()
  }

  /// Kept in release builds: a budget that breaks one of these would admit or deny wrongly.
  private func checkInvariants() {
    precondition(spend >= .zero, "a window's spend fell below zero")
    precondition(pending >= .zero, "more pending spend was released than held")
    precondition(start <= end || end == Self.never, "a window that ends before it opened")
  }
}
