import Locks

/// A part of the index with a lock of its own.
final class KeyShard: Sendable {
  private let table: Locked<KeyTable>

  init(seed: UInt64) { table = Locked(KeyTable(seed: seed)) }

  @inline(__always)
  func withTable<Result: Sendable>(_ body: (inout KeyTable) -> Result) -> Result {
    table.withLock { body(&$0) }
  }
}
