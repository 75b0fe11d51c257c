public import BudgetModel
import Locks
import Synchronization

/// The costs that are expected of requests, learned from what they did cost.
///
/// A mean and a mean square deviation for each deployment, or provider and model, and for each
/// provider, in tables behind short locks. New costs weigh a fiftieth, so a change of price is followed
/// within some fifty requests. A kind of fewer than eight costs is cold: twice its provider's mean is
/// expected, or twice the default, with as large a deviation.
public final class CostEstimates: Sendable {
  private struct Shard: ~Copyable {
    let table = Locked(EstimateTable())
    private let distance = InlineArray<8, UInt64>(repeating: 0)
  }

  private static let shardCount = 64
  /// So many kinds are remembered, the least recently used ones go.
  static let keyBound = 100_000

  private let shards = InlineArray<64, Shard> { _ in Shard() }
  private let isAskedFlag = Atomic<Bool>(false)
  private let expectation: PicoUSD

  init(_ expectation: PicoUSD) { self.expectation = expectation }

  /// Whether anybody has asked for an estimate: until then nothing need be learned. One atomic load.
  public var isAsked: Bool { isAskedFlag.load(ordering: .relaxed) }

  private func with<Result: Sendable>(
    _ key: UInt128, _ body: (inout EstimateTable) -> Result
  ) -> Result {
    shards[Int(truncatingIfNeeded: key) & (Self.shardCount - 1)].table.withLock { body(&$0) }
  }

  /// The cost that is expected of a request of that kind.
  public func expected(_ kind: CostKind) -> ReservedAmount {
    if !isAsked { isAskedFlag.store(true, ordering: .relaxed) }
    if let known = with(kind.own, { $0.look(kind.own) }), known.count >= EstimateTable.cold {
      let deviation = PicoUSD.rounded(known.variance.squareRoot())
      return ReservedAmount(
        PicoUSD.rounded(known.mean), variance: CostVariance(deviation: deviation),
        isEstimated: true)
    }
    let provider = kind.provider.flatMap { key in with(key) { $0.look(key) } }
    let mean = provider.map { PicoUSD.rounded($0.mean) } ?? expectation
    let twice = mean + mean
    return ReservedAmount(twice, variance: CostVariance(deviation: twice), isEstimated: true)
  }

  /// A request of that kind has cost so much. `record`: the digest of the record's key; nil: it has none.
  /// One that was learned from lately is a retry, and says nothing new: whether it is recorded is known
  /// only later.
  public func learn(_ cost: PicoUSD, of kind: CostKind, record: UInt128? = nil) {
    let dollars = cost.dollars
    let isNew = with(kind.own) { table in
      if let record, !table.meets(record) { return false }
      table.learn(dollars, kind.own)
      return true
    }
    guard isNew else { return }
    if let provider = kind.provider { with(provider) { $0.learn(dollars, provider) } }
  }

  /// Those that have changed since they were taken, some `most` at most: to be written down.
  public func takeChanged(atMost most: Int) -> [LearnedCost] {
    var taken: [LearnedCost] = []
    for shard in 0..<Self.shardCount where taken.count < most {
      taken += shards[shard].table.withLock { $0.takeChanged() }
    }
    return taken
  }

  /// Takes up what an earlier life has learned.
  public func restore(_ learned: [LearnedCost]) {
    for cost in learned where cost.isSound { with(cost.key) { $0.restore(cost) } }
    if !learned.isEmpty { isAskedFlag.store(true, ordering: .relaxed) }
  }

  /// How many kinds are remembered.
  public var count: Int {
    (0..<Self.shardCount).reduce(0) { sum, shard in
      sum + shards[shard].table.withLock { $0.count }
    }
  }
}

/// The kind of a request, by which its cost is expected: digests of names.
public struct CostKind: Hashable, Sendable {
  /// The deployment, or provider and model.
  let own: UInt128
  /// The provider; nil: it has none.
  let provider: UInt128?

  /// The kind of a request to the candidate of these names.
  public init(of names: CandidateNames, in catalog: BudgetCatalog) {
    var own: UInt128 = 0
    var provider: UInt128?
    catalog.withBudgetedNames(names) { name, _ in
      if !name.isEmpty { provider = Self.digest(name, 1) }
      own =
        names.id.isEmpty
        ? Self.digest(names.model, 3) ^ (provider ?? 0) &* 0x9E37_79B9 : Self.digest(names.id, 2)
    }
    self.own = own
    self.provider = provider
  }

  /// Always the same of a name: it is written down.
  private static func digest(_ name: NameBytes, _ role: UInt64) -> UInt128 {
    let (high, low) = (
      name.hash(seed: 0x6A09_E667_F3BC_C908 &+ role), name.hash(seed: 0xBB67_AE85_84CA_A73B &+ role)
    )
    return UInt128(high) << 64 | UInt128(low)
  }
}

/// The expectations of one shard.
struct EstimateTable: Sendable {
  fileprivate struct Entry {
    var cost: LearnedCost
    var usedAt: UInt64
    var isChanged = false
  }

  private var entries: [UInt128: Entry] = [:]
  private var turn: UInt64 = 0
  /// Parts of the digests of records that were learned from lately, each at its own place.
  private var lately: [UInt64] = []
  private static let latelyCount = 1_024

  /// Fewer costs say little.
  static let cold = 8
  private static let bound = CostEstimates.keyBound / 64
  private static let smallestWeight = 1.0 / 50

  var count: Int { entries.count }

  /// Whether the record with that digest is another one than those that came lately; it is one of them
  /// from now on.
  mutating func meets(_ record: UInt128) -> Bool {
    if lately.isEmpty { lately = [UInt64](repeating: 0, count: Self.latelyCount) }
    let part = UInt64(truncatingIfNeeded: record >> 64)
    let place = Int(truncatingIfNeeded: record) & (Self.latelyCount - 1)
    defer { lately[place] = part }
    return lately[place] != part
  }

  mutating func look(_ key: UInt128) -> LearnedCost? {
    guard let found = entries[key]?.cost else { return nil }
    turn += 1
    entries[key]?.usedAt = turn
    return found
  }

  mutating func learn(_ dollars: Double, _ key: UInt128) {
    turn += 1
    if entries[key] == nil {
      makeRoom()
      entries[key] = Entry(
        cost: LearnedCost(key: key, count: 0, mean: 0, variance: 0), usedAt: turn)
    }
    entries[key]?.learn(dollars, at: turn, weight: Self.smallestWeight)
  }

  mutating func restore(_ cost: LearnedCost) {
    makeRoom()
    entries[cost.key] = Entry(cost: cost, usedAt: turn)
  }

  /// A sixteenth goes at a time: to find them all are looked at.
  private mutating func makeRoom() {
    guard entries.count >= Self.bound else { return }
    let uses = entries.values.map(\.usedAt).sorted()
    let last = uses[uses.count / 16]
    entries = entries.filter { $0.value.usedAt > last }
  }

  mutating func takeChanged() -> [LearnedCost] {
    var taken: [LearnedCost] = []
    for (key, entry) in entries where entry.isChanged {
      taken.append(entry.cost)
      entries[key]?.isChanged = false
    }
    return taken
  }
}

extension EstimateTable.Entry {
  fileprivate mutating func learn(_ dollars: Double, at turn: UInt64, weight smallest: Double) {
    cost.count = min(cost.count + 1, 1_000_000)
    let weight = max(smallest, 1 / Double(cost.count))
    let distance = dollars - cost.mean
    cost.mean += weight * distance
    cost.variance = (1 - weight) * (cost.variance + weight * distance * distance)
    usedAt = turn
    isChanged = true
  }
}

extension PicoUSD {
  /// The amount nearest to an expectation in dollars, which may be of any size.
  fileprivate static func rounded(_ dollars: Double) -> PicoUSD {
    (try? PicoUSD(dollars: max(dollars, 0), atMost: .maximumRecord)) ?? .maximumRecord
  }
}
