import Locks

/// A part of the index with a lock of its own, in cache lines of its own.
struct KeyShard: ~Copyable {
  private let table: Locked<KeyTable>
  private let distance = InlineArray<3, UInt64>(repeating: 0)

  init(seed: UInt64) { table = Locked(KeyTable(seed: seed)) }

  @inline(__always)
  borrowing func withTable<Result: Sendable>(_ body: (inout KeyTable) -> Result) -> Result {
    table.withLock { body(&$0) }
  }
}
