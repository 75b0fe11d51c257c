import BudgetModel

/// When the reservations of a slab end: two wheels of lists, told the time. An end is found up to a
/// tick late, never early.
///
/// It owns the heads of the lists; their links are in the entries.
struct ExpiryWheel: Sendable {
  /// Milliseconds of a tick.
  static let tick: Int64 = 64
  /// Ticks of the fine wheel, and turns of it in the coarse one: 65 s and 18 h.
  private static let size: Int64 = 1_024
  private static let shift: Int64 = 10

  /// The entry that comes first of each list, the fine wheel's lists first.
  private(set) var heads: [Int32] = []
  /// The tick that is looked at next.
  private(set) var current: Int64 = 0
  /// How many entries are in the fine wheel, and in both.
  private var fineCount = 0
  private(set) var count = 0

  /// No entry.
  static let none: Int32 = -1

  /// The list for an entry that ends at `until`. The first one sets the wheels to `now`.
  mutating func list(until: Timestamp, at now: Timestamp) -> Int32 {
    if heads.isEmpty { heads = [Int32](repeating: Self.none, count: 2 * Int(Self.size)) }
    if count == 0 { current = Self.ticks(now.unixMilliseconds) }
    return list(of: Self.due(until))
  }

  /// The first tick that is not before `until`.
  private static func due(_ until: Timestamp) -> Int64 {
    ticks(until.unixMilliseconds + tick - 1)
  }

  private static func ticks(_ milliseconds: Int64) -> Int64 {
    milliseconds >= 0 ? milliseconds / tick : (milliseconds - tick + 1) / tick
  }

  private func list(of due: Int64) -> Int32 {
    let due = max(due, current)
    if due - current < Self.size { return Int32(due & (Self.size - 1)) }
    // Past the horizon it comes by sooner, and is put back then.
    let turn = min(due >> Self.shift, current >> Self.shift + Self.size - 1)
    return Int32(Self.size + turn & (Self.size - 1))
  }

  mutating func setHead(_ entry: Int32, of list: Int32) { heads[Int(list)] = entry }

  /// Puts an entry first in a list, and gives the one that was.
  mutating func put(_ entry: Int32, first list: Int32) -> Int32 {
    count += 1
    if list < Int32(Self.size) { fineCount += 1 }
    return exchange(&heads[Int(list)], with: entry)
  }

  mutating func removed(from list: Int32) {
    count -= 1
    if list < Int32(Self.size) { fineCount -= 1 }
  }

  /// The next thing to do.
  enum Step {
    /// The entries of this list end.
    case ends(Int32)
    /// The entries of this list are to be put into their lists anew.
    case spreads(Int32)
  }

  /// The next list with something in it whose time has come at `now`; nil: there is none. The list is
  /// to be emptied before the next call.
  mutating func next(at now: Timestamp) -> Step? {
    let last = Self.ticks(now.unixMilliseconds)
    while count > 0, current <= last {
      if fineCount == 0 {
        // Nothing until the next turn of the fine wheel.
        let turn = (current >> Self.shift + 1) << Self.shift
        guard turn <= last + 1, turn > current else { return nil }
        current = turn
      } else {
        let list = Int32(current & (Self.size - 1))
        if heads[Int(list)] != Self.none { return .ends(list) }
        current += 1
      }
      if current & (Self.size - 1) == 0 {
        let coarse = Int32(Self.size + (current >> Self.shift) & (Self.size - 1))
        if heads[Int(coarse)] != Self.none { return .spreads(coarse) }
      }
    }
    return nil
  }
}
