import BudgetModel
import Locks

/// The state of every slot, spread over shards so that lanes seldom wait for each other.
///
/// Slot `s` lives in shard `s mod count`. A call holds one shard's lock at a time and does nothing
/// else inside it: a view of several slots is consistent slot by slot, not as a whole.
final class BudgetShards: Sendable {
  /// One shard: the states of its slots behind a lock, in cache lines of its own.
  private struct Shard: ~Copyable {
    let slots = Locked<[Place]>([])
    /// How often each budget that only watches would have denied.
    let shadowed = Locked<[Int32: UInt64]>([:])
    private let distance = InlineArray<4, UInt64>(repeating: 0)
  }

  /// A slot's state, and the block that its gate is in.
  private struct Place {
    var state: SlotState
    /// The gate's word, so that the block is touched only when that changes.
    var gate: UInt64 = 0
    let gates: SlotGates

    /// Changes the state in place, and the gate with it. Read through the array instead, the state
    /// would be copied with its references once more for each change.
    @inline(__always)
    mutating func update<Result>(
      gateAt index: Int, _ change: (inout SlotState) -> Result
    ) -> Result {
      let result = change(&state)
      let word = state.gate
      if word != gate {
        gate = word
        gates.set(index, word)
      }
      return result
    }
  }

  static let count = 64
  private static let mask = count - 1
  private static let shift = count.trailingZeroBitCount

  /// In place: an object for each shard would have its references counted by every thread.
  private let shards = InlineArray<64, Shard> { _ in Shard() }
  /// The gates of all slots, block by block; grows with the slots.
  private let blocks = Locked<[SlotGates]>([])

  /// Makes room for `count` slots in all, exactly: grown one by one, the states of a large
  /// configuration could take twice the memory they need.
  func reserve(slots count: Int) {
    for index in 0..<Self.count {
      let own = count > index ? (count - index - 1) / Self.count + 1 : 0
      shards[index].slots.withLock { $0.reserveCapacity(own) }
    }
  }

  /// Adds the state of the next slot, which has no window yet.
  func append(slot: Int32, rule: WindowRule) { append(slot: slot, SlotState(rule: rule)) }

  /// Adds the state of the next slot. Slots are added in order, from 0, by one caller at a time.
  func append(slot: Int32, _ state: SlotState) {
    let gates = blocks.withLock { blocks in
      if Int(slot) >> SlotGates.shift == blocks.count { blocks.append(SlotGates()) }
      return blocks[Int(slot) >> SlotGates.shift]
    }
    shards[Int(slot) & Self.mask].slots.withLock { slots in
      precondition(slots.count == Int(slot) >> Self.shift, "slots are handed out in order")
      if slots.count == slots.capacity {
        // By an eighth: doubled, states could take twice the memory they need.
        slots.reserveCapacity(slots.count + slots.count / 8 + 8)
      }
      slots.append(Place(state: state, gates: gates))
    }
  }

  /// Makes `slot`, which was given back, the slot of a budget that has no window yet.
  func reset(slot: Int32, rule: WindowRule) {
    shards[Int(slot) & Self.mask].shadowed.withLock { $0[slot] = nil }
    update(slot) { $0 = $0.next(rule: rule) }
  }

  /// The gates of all slots there are, block by block, for a catalog.
  var gates: [SlotGates] { blocks.withLock { $0 } }

  /// The state of `slot` as it stands.
  func state(of slot: Int32) -> SlotState {
    shards[Int(slot) & Self.mask].slots.withLock { $0[Int(slot) >> Self.shift].state }
  }

  /// The amount that filtering compares with `slot`'s limit at `now`, how much of that is set
  /// aside, and when the open window ends.
  func standing(
    of slot: Int32, at now: Timestamp
  ) -> (spend: PicoUSD, withheld: PicoUSD, resetsAt: Timestamp?) {
    shards[Int(slot) & Self.mask].slots.withLock { slots in
      let state = slots[Int(slot) >> Self.shift].state
      return (
        state.committedAndPending(at: now), state.withheld(at: now), state.resetsAt(at: now)
      )
    }
  }

  /// The same of the budget that has `slot` in its life `life`; nil where another one has it.
  func standing(
    of slot: Int32, life: UInt32, at now: Timestamp
  ) -> SlotStanding? {
    shards[Int(slot) & Self.mask].slots.withLock { slots in
      let state = slots[Int(slot) >> Self.shift].state
      guard state.life == life else { return nil }
      return SlotStanding(
        spend: state.committedAndPending(at: now), withheld: state.withheld(at: now),
        resetsAt: state.resetsAt(at: now), home: state.home)
    }
  }

  /// Counts that `slot`, whose budget only watches, would have denied.
  func countShadowed(_ slot: Int32) {
    shards[Int(slot) & Self.mask].shadowed.withLock { $0[slot, default: 0] += 1 }
  }

  /// How often `slot` would have denied since the process started.
  func shadowed(_ slot: Int32) -> UInt64 {
    shards[Int(slot) & Self.mask].shadowed.withLock { $0[slot] ?? 0 }
  }

  /// Changes `slot`'s state, and its gate with it, under its shard's lock.
  func update<Result: Sendable>(
    _ slot: Int32, _ change: (inout SlotState) -> Result
  ) -> Result {
    shards[Int(slot) & Self.mask].slots.withLock { slots in
      slots[Int(slot) >> Self.shift].update(gateAt: Int(slot) & (SlotGates.count - 1), change)
    }
  }
}

/// A dynamic budget as filtering sees it.
struct SlotStanding: Sendable {
  /// The amount compared with the limit.
  var spend: PicoUSD
  /// How much of that is set aside.
  var withheld: PicoUSD
  /// When the open window ends.
  var resetsAt: Timestamp?
  /// The budget's row.
  var home: UInt32
}
