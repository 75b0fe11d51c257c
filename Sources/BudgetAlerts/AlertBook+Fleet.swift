public import BudgetModel

/// The book in a fleet: what the store is asked and told, and what it answers.
extension AlertBook {
  /// The state of one alert in the store.
  public struct Seen: Hashable, Sendable {
    /// Whether it was delivered, or given up.
    public var isDone: Bool
    /// The claim of the last attempt; nil: there is none.
    public var claim: Claim?

    /// Makes a state.
    public init(isDone: Bool, claim: Claim?) {
      self.isDone = isDone
      self.claim = claim
    }
  }

  /// A claim on an attempt, as it stands in the store.
  public struct Claim: Hashable, Sendable {
    /// The attempt's number.
    public var generation: Int
    /// Who makes the attempt; nil: this node.
    public var claimant: String?
    /// How long the claim holds.
    public var lease: Duration
    /// Nobody wants the alert any more from then on, and the claim may go.
    public var until: Timestamp

    /// Makes a claim.
    public init(generation: Int, by claimant: String?, lease: Duration, until: Timestamp) {
      self.generation = generation
      self.claimant = claimant
      self.lease = lease
      self.until = until
    }
  }

  /// One exchange reads so many alerts at most.
  static let readAtOnce = 100

  /// More time without a look at the store is as if it had been away.
  private static let longestGap = Duration.seconds(150)

  /// Whether the store is of any use now.
  public var isIdle: Bool { entries.isEmpty && kept.isEmpty }

  /// The store is looked at now.
  public mutating func look(at now: Duration) {
    if let lookedAt, now - lookedAt > Self.longestGap { lost() }
    lookedAt = now
  }

  /// The store may have lost something: it is another one, or was emptied, or was never looked at
  /// before. It knows again what this node knows.
  public mutating func foundStore(at now: Duration) { steadySince = now }

  /// The alerts whose state is to be read.
  public var unknown: [String] {
    order.lazy.filter { self.entries[$0]?.phase == .waiting }.prefix(Self.readAtOnce).map { $0 }
  }

  /// The store says of an alert.
  public mutating func heard(_ id: String, _ seen: Seen, at now: Duration) {
    guard var entry = entries[id], entry.phase == .waiting else { return }
    if seen.isDone {
      note(entry.row(id))
      return remove(id)
    }
    // A store that was emptied knows less than this node, which goes on from what it knows.
    if let claim = seen.claim, claim.generation > entry.generation {
      (entry.generation, entry.claimant, entry.since) = (claim.generation, claim.claimant, now)
      entry.lease = claim.lease
    } else if entry.since == nil {
      entry.since = now
    }
    entries[id] = entry
  }

  /// The store was out of touch: nobody knows what others did meanwhile.
  public mutating func lost() {
    for (id, entry) in entries where entry.phase == .waiting && entry.claimant != nil {
      entries[id]?.since = nil
    }
  }

  /// A whole pass has ended: the windows that were open when it began are the fleet's.
  public mutating func passEnded() {
    for (id, entry) in entries {
      guard case .settling(let passes) = entry.phase else { continue }
      entries[id]?.phase = .settling(passes: passes - 1)
      if passes < -Self.longestSettling { remove(id) }
    }
  }

  /// News for the store: alerts that are done, or given up.
  public var news: [Kept] {
    order.lazy.compactMap { id -> Kept? in
      switch self.entries[id]?.phase {
      case .delivered, .dropped: return self.kept[id]
      case .settling, .waiting, .sending, nil: return nil
      }
    }.prefix(Self.readAtOnce).map { $0 }
  }

  /// The store has what it was to be told of these.
  public mutating func told(_ ids: some Sequence<String>) {
    for id in ids {
      let phase = entries[id]?.phase
      if phase == .delivered || phase == .dropped { remove(id) }
    }
  }

  /// The claim that is asked for with the number `generation`; nil: the alert is not here any more.
  public func claim(on id: String, generation: Int) -> Claim? {
    entries[id].map {
      Claim(generation: generation, by: nil, lease: times.lease, until: $0.lastUse)
    }
  }

  /// Everything that a store without any memory has to know: what is done, and every claim that this
  /// node has made or seen.
  public var memory: (kept: [Kept], claims: [(id: String, claim: Claim)]) {
    let claims = order.compactMap { id -> (id: String, claim: Claim)? in
      guard let entry = entries[id], entry.generation >= 0 else { return nil }
      guard entry.phase == .waiting || entry.phase == .sending else { return nil }
      let lease = entry.claimant == nil ? times.lease : entry.lease
      return (
        id,
        Claim(
          generation: entry.generation, by: entry.claimant, lease: lease, until: entry.lastUse)
      )
    }
    return (Array(kept.values), claims)
  }
}
