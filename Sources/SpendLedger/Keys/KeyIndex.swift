/// Every key that is remembered, in memory: its digest, its fields' fingerprint, and whether it is
/// still in flight. Used from any thread; only the ledger's own settles and forgets.
///
/// Lies in its owner, as the queue does: references to it would be counted for every record by
/// every thread.
struct KeyIndex: ~Copyable, Sendable {
  static let shardCount = 128

  /// In place: an object for each shard would have its references counted by every thread.
  private let shards = InlineArray<128, KeyShard> { _ in
    KeyShard(seed: .random(in: .min ... .max))
  }

  @inline(__always)
  private func withTable<Result: Sendable>(
    of digest: UInt128, _ body: (inout KeyTable) -> Result
  ) -> Result {
    shards[Self.shard(of: digest)].withTable(body)
  }

  /// Claims an absent key; with the key's part still locked, `then` may let go of the claim again
  /// by answering false.
  func claim(
    _ digest: UInt128, _ fingerprint: UInt128, then keeps: () -> Bool
  ) -> (claim: KeyClaim, isKept: Bool) {
    withTable(of: digest) { table in
      let claim = table.claim(digest, fingerprint)
      guard claim == .claimed else { return (claim, true) }
      if keeps() { return (claim, true) }
      table.remove(digest)
      return (claim, false)
    }
  }

  func claim(_ digest: UInt128, _ fingerprint: UInt128) -> KeyClaim {
    withTable(of: digest) { $0.claim(digest, fingerprint) }
  }

  /// How far ahead of its use a key is best fetched, in keys.
  static let ahead = 12

  /// Has the processor fetch where the key is, if it is anywhere: in a large index each first look
  /// at a key costs a wait for memory. Takes no lock, changes nothing.
  @inline(__always)
  func fetch(_ digest: UInt128) {
    shards[Self.shard(of: digest)].fetch(digest)
  }

  func settle(_ digest: UInt128) { withTable(of: digest) { $0.settle(digest) } }

  /// Settles many keys: shard by shard, so that other threads lose each lock, and the cache lines
  /// behind it, once and not for every key.
  func settle(_ keys: borrowing KeysByShard) {
    for shard in 0..<Self.shardCount {
      let range = keys.range(of: shard)
      if range.isEmpty { continue }
      let digests = keys.digests.span
      for index in range { shards[shard].fetch(digests[index]) }
      shards[shard].withTable { table in
        for index in range { table.settle(keys.digests[index]) }
      }
    }
  }

  /// Forgets many keys but those `staying`, shard by shard as well.
  func remove(_ keys: borrowing KeysByShard, but staying: Set<UInt128>) {
    for shard in 0..<Self.shardCount {
      let range = keys.range(of: shard)
      if range.isEmpty { continue }
      let digests = keys.digests.span
      for index in range { shards[shard].fetch(digests[index]) }
      shards[shard].withTable { table in
        for index in range where staying.isEmpty || !staying.contains(keys.digests[index]) {
          table.remove(keys.digests[index])
        }
      }
    }
  }

  /// Adds a batch's keys, which are on disk.
  func restore(_ keys: BatchKeys) {
    for index in 0..<keys.count {
      let ahead = index + Self.ahead
      if ahead < keys.count { fetch(keys.digests[ahead]) }
      _ = restore(keys.digests[index], keys.fingerprints[index])
    }
  }

  @inline(__always)
  static func shard(of digest: UInt128) -> Int {
    Int(truncatingIfNeeded: digest) & (shardCount - 1)
  }

  func remove(_ digest: UInt128) { withTable(of: digest) { $0.remove(digest) } }

  func restore(_ digest: UInt128, _ fingerprint: UInt128) -> Bool {
    withTable(of: digest) { $0.restore(digest, fingerprint) }
  }

  func holds(_ digest: UInt128, _ fingerprint: UInt128) -> Bool {
    withTable(of: digest) { $0.holds(digest, fingerprint) }
  }

  var count: Int { sum { $0.count } }

  var bytes: Int { sum { $0.capacity } * KeyTable.bytesPerPlace }

  private func sum(_ part: (borrowing KeyTable) -> Int) -> Int {
    var sum = 0
    for index in shards.indices { sum += shards[index].withTable { part($0) } }
    return sum
  }
}

/// The index's answer to a claim.
enum KeyClaim: Equatable {
  /// The key was not known: it is the claimer's, in flight.
  case claimed
  /// Known, on disk, same fields.
  case duplicate
  /// Known, not on disk yet, same fields.
  case inFlight
  /// Known with other fields.
  case mismatch
}
