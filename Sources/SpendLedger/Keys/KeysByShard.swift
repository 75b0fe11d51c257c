/// Keys of one batch, put in the order of the shards they are in. Reused from batch to batch.
struct KeysByShard {
  /// The keys, shard by shard.
  private(set) var digests: [UInt128] = []
  private var unordered: [UInt128] = []
  /// The beginning of each shard's keys, and the end of the last one's.
  private var starts = [Int](repeating: 0, count: KeyIndex.shardCount + 1)

  var count: Int { unordered.count }

  mutating func begin() { unordered.removeAll(keepingCapacity: true) }

  mutating func add(_ digest: UInt128) { unordered.append(digest) }

  /// Puts what was added in order.
  mutating func arrange() {
    for shard in starts.indices { starts[shard] = 0 }
    for digest in unordered { starts[KeyIndex.shard(of: digest) + 1] += 1 }
    for shard in 1..<starts.count { starts[shard] += starts[shard - 1] }
    if digests.count < unordered.count {
      digests.append(contentsOf: repeatElement(0, count: unordered.count - digests.count))
    }
    // Each start moves on to its shard's end, which is the next one's start.
    for digest in unordered {
      let shard = KeyIndex.shard(of: digest)
      digests[starts[shard]] = digest
      starts[shard] += 1
    }
    for shard in (1..<starts.count).reversed() { starts[shard] = starts[shard - 1] }
    starts[0] = 0
  }

  func range(of shard: Int) -> Range<Int> { starts[shard]..<starts[shard + 1] }
}
