import Synchronization

/// Counters side by side, with one writer and any number of readers. Adding is one instruction.
struct Counters<let count: Int>: ~Copyable, Sendable {
  private let cells: InlineArray<count, Atomic<Int>>

  init() { cells = InlineArray { _ in Atomic(0) } }

  /// Adds to a counter: only its one writer may.
  @inline(__always)
  func add(_ amount: Int, at index: Int) {
    cells[index].store(cells[index].load(ordering: .relaxed) &+ amount, ordering: .relaxed)
  }

  @inline(__always)
  func value(at index: Int) -> Int { cells[index].load(ordering: .relaxed) }
}

/// Counters in one piece of memory that several may hold.
final class CounterRow: Sendable {
  /// How many counters there are.
  static let width = 256

  private let counters = Counters<256>()

  /// Adds to a counter: only its one writer may.
  @inline(__always)
  func add(_ amount: Int, at index: Int) { counters.add(amount, at: index) }

  func value(at index: Int) -> Int { counters.value(at: index) }
}
