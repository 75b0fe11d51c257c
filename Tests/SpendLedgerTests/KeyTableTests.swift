import SeededRandom
import Testing

@testable import SpendLedger

@Suite struct KeyTableTests {
  /// The model that the table is held against.
  private struct Model {
    var keys: [UInt128: (fingerprint: UInt128, isInFlight: Bool)] = [:]

    mutating func claim(_ digest: UInt128, _ fingerprint: UInt128) -> KeyClaim {
      guard let known = keys[digest] else {
        keys[digest] = (fingerprint, true)
        return .claimed
      }
      if known.fingerprint != fingerprint { return .mismatch }
      return known.isInFlight ? .inFlight : .duplicate
    }
  }

  /// Digests from a few, so that they come again; many with one hash, so that they stand in a row.
  private static func digest(using random: inout SeededRandom) -> UInt128 {
    // Not 1: nothing's digest is kept under it.
    let low = UInt128(UInt64.random(in: 0..<400, using: &random) * 2)
    switch Int.random(in: 0..<4, using: &random) {
    case 0: return low
    case 1: return 7 << 64 | low
    case 2: return UInt128(UInt64.max) << 64 | low
    default: return UInt128(UInt64.random(in: 0..<2_000, using: &random)) << 64 | 3
    }
  }

  @Test func itKeepsWhatItWasTold() {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededRandom(seed: seed)
    for round in 0..<20 {
      var table = KeyTable(seed: random.next())
      var model = Model()
      // Rounds that fill it, and rounds that empty it again and again.
      let removes = round % 5
      for _ in 0..<4_000 {
        let digest = Self.digest(using: &random)
        let fingerprint = UInt128(Int.random(in: 1...2, using: &random))
        switch Int.random(in: 0..<10, using: &random) {
        case 0..<removes:
          table.remove(digest)
          model.keys[digest] = nil
        case 8:
          table.settle(digest)
          model.keys[digest]?.isInFlight = false
        case 9:
          let isNew = model.keys[digest] == nil
          let wasNew = table.restore(digest, fingerprint)
          #expect(wasNew == isNew, "seed \(seed)")
          if isNew { model.keys[digest] = (fingerprint, false) }
        default:
          let claim = table.claim(digest, fingerprint)
          #expect(claim == model.claim(digest, fingerprint), "seed \(seed)")
        }
      }
      #expect(table.count == model.keys.count, "seed \(seed)")
      for (digest, known) in model.keys {
        // Apart, so that a failure does not print the table.
        let (isThere, isOther) = (
          table.holds(digest, known.fingerprint), table.holds(digest, known.fingerprint + 5)
        )
        #expect(isThere && !isOther, "seed \(seed)")
      }
      let isThere = table.holds(UInt128.max - 1, 1)
      #expect(!isThere, "seed \(seed)")
    }
  }

  @Test func itGrowsWithItsKeys() {
    var table = KeyTable(seed: 3)
    for key in 1...10_000 {
      let claim = table.claim(UInt128(key) << 64, 1)
      #expect(claim == .claimed)
    }
    #expect(table.count == 10_000)
    #expect(Double(table.count) / Double(table.capacity) > 0.55)
    for key in 1...10_000 { table.remove(UInt128(key) << 64) }
    let isThere = table.holds(1 << 64, 1)
    #expect(table.count == 0 && !isThere)
  }

  @Test func manyKeysAreSettledShardByShard() {
    let index = KeyIndex()
    var random = SeededRandom(seed: 11)
    let digests = (0..<3_000).map { _ in UInt128(random.next()) << 64 | UInt128(random.next()) }
    for digest in digests { #expect(index.claim(digest, 5) == .claimed) }
    var keys = KeysByShard()
    for _ in 0..<2 {
      keys.begin()
      for digest in digests.dropLast() { keys.add(digest) }
      keys.arrange()
      index.settle(keys)
    }
    #expect(keys.count == 2_999)
    #expect(digests.dropLast().allSatisfy { index.claim($0, 5) == .duplicate })
    #expect(index.claim(digests[2_999], 5) == .inFlight)
    keys.begin()
    keys.arrange()
    index.settle(keys)
    #expect(index.count == 3_000)
  }
}
