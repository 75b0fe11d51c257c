/// Every key that is remembered, in memory: its digest, its fields' fingerprint, and whether it is
/// still in flight. Used from any thread; only the ledger's own settles and forgets.
final class KeyIndex: Sendable {
  private let shards: [KeyShard]

  private static let shardCount = 128

  init() {
    shards = (0..<Self.shardCount).map { _ in KeyShard(seed: .random(in: .min ... .max)) }
  }

  @inline(__always)
  private func shard(of digest: UInt128) -> KeyShard {
    shards[Int(truncatingIfNeeded: digest) & (Self.shardCount - 1)]
  }

  /// Claims an absent key; with the key's part still locked, `then` may let go of the claim again
  /// by answering false.
  func claim(
    _ digest: UInt128, _ fingerprint: UInt128, then keeps: () -> Bool
  ) -> (claim: KeyClaim, isKept: Bool) {
    shard(of: digest).withTable { table in
      let claim = table.claim(digest, fingerprint)
      guard claim == .claimed else { return (claim, true) }
      if keeps() { return (claim, true) }
      table.remove(digest)
      return (claim, false)
    }
  }

  func claim(_ digest: UInt128, _ fingerprint: UInt128) -> KeyClaim {
    shard(of: digest).withTable { $0.claim(digest, fingerprint) }
  }

  func settle(_ digest: UInt128) { shard(of: digest).withTable { $0.settle(digest) } }

  func remove(_ digest: UInt128) { shard(of: digest).withTable { $0.remove(digest) } }

  func restore(_ digest: UInt128, _ fingerprint: UInt128) -> Bool {
    shard(of: digest).withTable { $0.restore(digest, fingerprint) }
  }

  func holds(_ digest: UInt128, _ fingerprint: UInt128) -> Bool {
    shard(of: digest).withTable { $0.holds(digest, fingerprint) }
  }

  var count: Int { shards.reduce(0) { sum, shard in sum + shard.withTable { $0.count } } }

  var bytes: Int {
    shards.reduce(0) { sum, shard in
      sum + shard.withTable { $0.capacity } * KeyTable.bytesPerPlace
    }
  }
}
