import BudgetModel
import Locks

/// The state of every slot, spread over shards so that lanes seldom wait for each other.
///
/// Slot `s` lives in shard `s mod count`. A call holds one shard's lock at a time and does nothing
/// else inside it: a view of several slots is consistent slot by slot, not as a whole.
final class BudgetShards: Sendable {
  /// One shard: the states of its slots behind a lock.
  private final class Shard: Sendable {
    let states = Locked<[SlotState]>([])
  }

  private let shards: [Shard]
  private let mask: Int
  private let shift: Int

  /// Makes empty shards. `count` is a power of two.
  init(count: Int) {
    precondition(count > 0 && count & (count - 1) == 0, "the number of shards is a power of two")
    shards = (0..<count).map { _ in Shard() }
    mask = count - 1
    shift = count.trailingZeroBitCount
  }

  /// Adds the state of the next slot, which has no window yet.
  func append(slot: Int32, windowLength: WindowLength) {
    append(slot: slot, SlotState(windowLength: windowLength))
  }

  /// Adds the state of the next slot. Slots are added in order, from 0, by one caller at a time.
  func append(slot: Int32, _ state: SlotState) {
    shards[Int(slot) & mask].states.withLock { states in
      precondition(states.count == Int(slot) >> shift, "slots are handed out in order")
      states.append(state)
    }
  }

  /// The state of `slot` as it stands.
  func state(of slot: Int32) -> SlotState {
    shards[Int(slot) & mask].states.withLock { $0[Int(slot) >> shift] }
  }

  /// What filtering compares with `slot`'s limit at `now`, how much of that is set aside, and when
  /// the open window ends.
  func standing(
    of slot: Int32, at now: Timestamp
  ) -> (spend: PicoUSD, withheld: PicoUSD, resetsAt: Timestamp?) {
    shards[Int(slot) & mask].states.withLock { states in
      let state = states[Int(slot) >> shift]
      return (
        state.committedAndPending(at: now), state.withheld(at: now), state.resetsAt(at: now)
      )
    }
  }

  /// Changes `slot`'s state under its shard's lock.
  func update<Result: Sendable>(
    _ slot: Int32, _ change: (inout SlotState) -> Result
  ) -> Result {
    shards[Int(slot) & mask].states.withLock { change(&$0[Int(slot) >> shift]) }
  }
}
