import BudgetModel
import Locks

/// The state of every slot, spread over shards so that lanes seldom wait for each other.
///
/// Slot `s` lives in shard `s mod count`. A call holds one shard's lock at a time and does nothing
/// else inside it: a view of several slots is consistent slot by slot, not as a whole.
final class BudgetShards: Sendable {
  /// One shard: the states of its slots behind a lock, in cache lines of its own.
  struct Shard: ~Copyable {
    let slots = Locked(ShardSlots())
    /// How often each budget that only watches would have denied.
    let shadowed = Locked<[Int32: UInt64]>([:])
    private let distance = InlineArray<4, UInt64>(repeating: 0)
  }

  static let count = 64
  static let mask = count - 1

  /// In place: an object for each shard would have its references counted by every thread.
  let shards = InlineArray<64, Shard> { _ in Shard() }
  /// The gates of all slots, block by block; grows with the slots.
  private let blocks = Locked<[SlotGates]>([])
  /// Whether somebody writes down what reservations keep back.
  let notesHolds: Bool

  init(notesHolds: Bool = false) { self.notesHolds = notesHolds }

  /// Makes room for `count` slots in all, exactly: grown one by one, the states of a large
  /// configuration could take twice the memory they need.
  func reserve(slots count: Int) {
    for index in 0..<Self.count {
      let own = count > index ? (count - index - 1) / Self.count + 1 : 0
      shards[index].slots.withLock { $0.places.reserveCapacity(own) }
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
    shards[Int(slot) & Self.mask].slots.withLock { $0.append(slot: slot, state, gates) }
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
    shards[Int(slot) & Self.mask].slots.withLock { $0.places[ShardSlots.place(of: slot)].state }
  }

  /// The state of `slot`, and what is kept back there.
  func stateAndKept(of slot: Int32) -> (state: SlotState, kept: PicoUSD) {
    shards[Int(slot) & Self.mask].slots.withLock { slots in
      let state = slots.places[ShardSlots.place(of: slot)].state
      return (state, slots.holds.kept(at: state.holds))
    }
  }

  /// The budget that has `slot` as filtering sees it at `now`.
  func standing(of slot: Int32, at now: Timestamp) -> SlotStanding {
    shards[Int(slot) & Self.mask].slots.withLock { $0.standing(of: slot, at: now) }
  }

  /// The same of the budget that has `slot` in its life `life`; nil where another one has it.
  func standing(
    of slot: Int32, life: UInt32, at now: Timestamp
  ) -> SlotStanding? {
    shards[Int(slot) & Self.mask].slots.withLock { slots in
      guard slots.places[ShardSlots.place(of: slot)].state.life == life else { return nil }
      return slots.standing(of: slot, at: now)
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
    shards[Int(slot) & Self.mask].slots.withLock { $0.update(slot, change) }
  }
}
