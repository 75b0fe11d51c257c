/// The keys of a batch, as read back. Reused from batch to batch.
struct BatchKeys {
  private(set) var digests: [UInt128] = []
  private(set) var fingerprints: [UInt128] = []

  var count: Int { digests.count }

  mutating func removeAll() {
    digests.removeAll(keepingCapacity: true)
    fingerprints.removeAll(keepingCapacity: true)
  }

  mutating func add(_ digest: UInt128, _ fingerprint: UInt128) {
    digests.append(digest)
    fingerprints.append(fingerprint)
  }
}
