import CProcessor
import Locks
import Synchronization

/// A part of the index with a lock of its own, in cache lines of its own.
struct KeyShard: ~Copyable {
  private let table: Locked<KeyTable>
  /// Keeps what is read without the lock out of the lock's cache line.
  private let distance = InlineArray<8, UInt64>(repeating: 0)
  /// The address of the table's places and how many, for `fetch`: it may be told of a table that is
  /// no more, and then fetches for nothing.
  private let address = Atomic<UInt>(0)
  private let capacity = Atomic<Int>(0)
  private let seed: UInt64
  private let end = InlineArray<8, UInt64>(repeating: 0)

  init(seed: UInt64) {
    self.seed = seed
    table = Locked(KeyTable(seed: seed))
  }

  @inline(__always)
  borrowing func withTable<Result: Sendable>(_ body: (inout KeyTable) -> Result) -> Result {
    table.withLock { table in
      let result = body(&table)
      if table.capacity != capacity.load(ordering: .relaxed) {
        capacity.store(table.capacity, ordering: .relaxed)
        address.store(table.address, ordering: .relaxed)
      }
      return result
    }
  }

  @inline(__always)
  borrowing func fetch(_ digest: UInt128) {
    let capacity = capacity.load(ordering: .relaxed)
    let home = KeyTable.home(of: digest, seed: seed, capacity: capacity)
    // Safe: a prefetch reads nothing and never fails, whatever lies at the address.
    cprocessor_prefetch(
      address.load(ordering: .relaxed) &+ UInt(bitPattern: home &* KeyTable.bytesPerPlace))
  }
}
