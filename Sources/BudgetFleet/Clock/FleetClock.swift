public import BudgetModel
import Locks
import Reconciliation
import Synchronization

/// Fleet time: the store's clock as it was heard last, and what has passed since by the clock that
/// also counts while the machine sleeps.
///
/// Once the store was heard it never runs backwards: where a correction leads back, time stands still
/// until it is reached again. Reading takes two atomic loads, and a write once a millisecond.
public final class FleetClock: TimeSource {
  /// How well the store's clock is known.
  private struct Knowledge {
    var hasHeard = false
    /// The smallest uncertainty heard lately, in milliseconds; grows while nothing better comes.
    var best: Int64 = 0
    var trust: ClockTrust
  }

  /// Fleet time less the machine's, in milliseconds.
  private let offset: Atomic<Int64>
  /// The latest time that was given out.
  private let given: Atomic<Int64>
  private let knowledge: Locked<Knowledge>
  private let boottime: @Sendable () -> Int64
  private let wallClock: @Sendable () -> Timestamp

  /// A jump of the store's clock, rather than a drift.
  private static let jumpMilliseconds: Int64 = 2_000

  /// Begins at `first`, until the store is heard. A reading past `jumpBound` from fleet time is not
  /// followed at once. `boottime` tells the milliseconds that the machine has been up, asleep or
  /// awake.
  public init(
    startingAt first: Timestamp, jumpBound: Duration = FleetOptions().clockJumpBound,
    boottime: @escaping @Sendable () -> Int64, wallClock: @escaping @Sendable () -> Timestamp
  ) {
    self.boottime = boottime
    self.wallClock = wallClock
    knowledge = Locked(Knowledge(trust: ClockTrust(bound: jumpBound)))
    offset = Atomic(first.unixMilliseconds - boottime())
    given = Atomic(first.unixMilliseconds)
  }

  /// The fleet time now.
  public func now() -> Timestamp {
    let time = boottime() + offset.load(ordering: .relaxed)
    let latest = given.load(ordering: .relaxed)
    guard time > latest else { return Timestamp(unixMilliseconds: latest) }
    let (_, newest) = given.max(time, ordering: .relaxed)
    return Timestamp(unixMilliseconds: newest)
  }

  /// This host's wall clock now.
  public func wall() -> Timestamp { wallClock() }

  /// The store's clock said `time`, `roundTrip` at most before now: halfway there, as far as anybody
  /// knows. One caller at a time.
  func heard(_ time: Timestamp, roundTrip: Duration) -> ClockCorrection {
    let halfway = max(roundTrip.wholeMilliseconds, 0) / 2
    // The store tells whole milliseconds, and so does the machine.
    let uncertainty = halfway + 1
    let elapsed = boottime()
    let heard = time.unixMilliseconds + halfway - elapsed
    let before = offset.load(ordering: .relaxed)
    let difference = heard - before
    let reading = ClockTrust.Reading(
      store: heard + elapsed, expected: before + elapsed, wall: wallClock().unixMilliseconds,
      elapsed: elapsed, uncertainty: uncertainty)
    let doubt: ClockDoubt? = knowledge.withLock { knowledge in
      if knowledge.trust.believes(reading) { return nil }
      return ClockDoubt(
        store: time, expected: Timestamp(unixMilliseconds: reading.expected),
        boundSeconds: knowledge.trust.bound / 1_000)
    }
    if let doubt { return .doubted(doubt) }
    let (isFirst, isGood) = knowledge.withLock { knowledge in
      let isFirst = !knowledge.hasHeard
      knowledge.hasHeard = true
      let limit = isFirst ? uncertainty : knowledge.best + knowledge.best / 16 + 1
      knowledge.best = min(uncertainty, limit)
      return (isFirst, uncertainty <= 2 * knowledge.best)
    }
    guard isFirst || difference.magnitude > UInt64(uncertainty) else { return .none }
    let isJump = difference.magnitude > UInt64(Self.jumpMilliseconds + uncertainty)
    // A slow answer moves time only as far as it must: a quicker one knew better.
    let change =
      isFirst || isGood || isJump
      ? difference : difference > 0 ? difference - uncertainty : difference + uncertainty
    offset.store(before + change, ordering: .relaxed)
    // Until now time was this host's guess: held on to, a wall clock that is a day ahead would stop
    // every window of this node for a day.
    if isFirst { given.store(boottime() + before + change, ordering: .relaxed) }
    if isJump, !isFirst { return .jumped(milliseconds: change) }
    return change == 0 ? .none : .moved(milliseconds: change)
  }
}

/// The change that a reading of the store's clock has made to the fleet's time.
enum ClockCorrection: Equatable, Sendable {
  /// Nothing: the difference may be the way there and back.
  case none
  /// The fleet's time lies so much later or earlier now.
  case moved(milliseconds: Int64)
  /// So does the store's clock jump, by more than it can have drifted.
  case jumped(milliseconds: Int64)
  /// Nothing: what the store's clock says is not believed.
  case doubted(ClockDoubt)
}
