import Synchronization

/// One word for each slot, by which filtering passes without a lock those that cannot deny.
///
/// A word is written under the lock of its slot's shard, whenever what it says has changed, and read
/// without one. It holds the generation of the configuration whose limit it was judged by, so that a
/// request under an older or newer configuration takes the lock, and sees its own limit.
final class SlotGates: Sendable {
  /// How many slots one block of gates has.
  static let count = 1 << shift
  static let shift = 9

  private let words: InlineArray<512, Atomic<UInt64>>

  init() { words = InlineArray { _ in Atomic(0) } }

  /// The word of a slot that cannot deny under the configuration `generation`. With `hasNext` it is
  /// another one: the name has another budget, which is to be asked too.
  ///
  /// No slot's word is that of generation 0, the configuration before the first.
  static func open(generation: UInt64, hasNext: Bool = false) -> UInt64 {
    generation << 2 | (hasNext ? 3 : 1)
  }

  /// Whether the slot at `index` of this block cannot deny, as the word `open` asks.
  @inline(__always)
  func isOpen(_ index: Int, _ open: UInt64) -> Bool {
    words[index].load(ordering: .acquiring) == open
  }

  /// Sets the word of the slot at `index`. Only where it changes: else the line stays in every
  /// processor's cache.
  func set(_ index: Int, _ word: UInt64) { words[index].store(word, ordering: .releasing) }
}
