/// Every change that holds, one for each register: a node's copy of what the fleet's operators have
/// decided. A value, told the time.
///
/// Merging is commutative, associative and idempotent: nodes that have heard the same changes, in
/// whatever order and however often, have the same table.
public struct ChangeTable: Equatable, Sendable {
  private var changes: [BudgetChange.Register: BudgetChange] = [:]

  /// So many changes may be in force.
  public static let mostInForce = 10_000
  /// So many are kept, those that are over among them. More come from a store gone wrong.
  public static let mostKept = 40_000
  /// A change that is over is kept so long, for nodes that have been away: 35 days, in milliseconds.
  public static let keptAfterEnd: Int64 = 35 * 86_400_000

  /// An empty table.
  public init() {}

  /// A table of these changes.
  public init(_ changes: some Sequence<BudgetChange>) {
    for change in changes { _ = merge(change) }
  }

  /// How many changes it holds.
  public var count: Int { changes.count }

  /// The change of a register; nil: it was never changed, or long ago.
  public subscript(register: BudgetChange.Register) -> BudgetChange? { changes[register] }

  /// All of them, in no order.
  public var all: some Collection<BudgetChange> { changes.values }

  /// Takes a change, wherever it was made. False, and nothing changes: a later one holds, or it is
  /// here already, or there are too many.
  @discardableResult
  public mutating func merge(_ change: BudgetChange) -> Bool {
    guard let known = changes[change.register] else {
      guard changes.count < Self.mostKept else { return false }
      changes[change.register] = change
      return true
    }
    guard change.holds(over: known) else { return false }
    changes[change.register] = change
    return true
  }

  /// How many are in force at `now`.
  public func countInForce(at now: Timestamp) -> Int {
    changes.values.count { $0.isInForce(at: now) }
  }

  /// Those in force at `now`, in no order.
  public func inForce(at now: Timestamp) -> [BudgetChange] {
    changes.values.filter { $0.isInForce(at: now) }
  }

  /// Those whose time is over at `now` and was not at `before`.
  public func ended(after before: Timestamp, by now: Timestamp) -> [BudgetChange] {
    changes.values.filter { $0.isInForce(at: before) && !$0.isInForce(at: now) }
  }

  /// When the next one in force at `now` ends by itself; nil: none does.
  public func nextEnd(after now: Timestamp) -> Timestamp? {
    changes.values.lazy.filter { $0.isInForce(at: now) }.compactMap(\.until).min()
  }

  /// Forgets those that have been over for longest, so that there is room for others, and gives their
  /// registers; none: all that are kept hold.
  public mutating func forgetOldest(at now: Timestamp) -> [BudgetChange.Register] {
    let over = changes.values.compactMap { change in
      change.endedAt(by: now).map { (register: change.register, at: $0) }
    }
    let gone = over.sorted { $0.at < $1.at }.prefix(Self.forgottenAtOnce).map(\.register)
    for register in gone { changes[register] = nil }
    return gone
  }

  /// Whether another node's change is passed over: there is room for those alone that say something yet.
  public func hasNoRoom(for change: BudgetChange, at now: Timestamp) -> Bool {
    changes[change.register] == nil && changes.count >= Self.mostKept
      && change.register.matter != .reset && change.endedAt(by: now) != nil
  }

  /// So many make room at a time: to find them all are looked at.
  private static let forgottenAtOnce = 1_000

  /// Forgets changes that were over long ago, and gives their registers.
  public mutating func forget(at now: Timestamp) -> [BudgetChange.Register] {
    let gone = changes.values.filter { $0.isForgotten(at: now) }.map(\.register)
    for register in gone { changes[register] = nil }
    return gone
  }
}
