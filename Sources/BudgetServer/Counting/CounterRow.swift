import Synchronization

/// Some counters in one piece of memory, with one writer and any number of readers. Adding is one
/// instruction.
final class CounterRow: Sendable {
  /// How many counters there are.
  static let width = 256

  private let cells: InlineArray<256, Atomic<Int>>

  init() { cells = InlineArray { _ in Atomic(0) } }

  /// Adds to a counter: only its one writer may.
  @inline(__always)
  func add(_ amount: Int, at index: Int) {
    cells[index].store(cells[index].load(ordering: .relaxed) &+ amount, ordering: .relaxed)
  }

  func value(at index: Int) -> Int { cells[index].load(ordering: .relaxed) }
}
