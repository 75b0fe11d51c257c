public import BudgetModel

/// The book in a fleet: what the store is asked and told, and what it answers.
extension AlertBook {
  /// The state of one alert in the store.
  public struct Seen: Hashable, Sendable {
    /// Whether it was delivered, or given up.
    public var isDone: Bool
    /// The highest number that is claimed there, among those that were asked for; nil: none is.
    public var generation: Int?
    /// How long that claim holds; nil: this node's own.
    public var lease: Duration?

    /// Makes a state.
    public init(isDone: Bool, generation: Int?, lease: Duration?) {
      self.isDone = isDone
      self.generation = generation
      self.lease = lease
    }
  }

  /// One exchange reads so many alerts at most.
  static let readAtOnce = 100

  /// More time without a look at the store is as if it had been away.
  private static let longestGap = Duration.seconds(150)

  /// Whether the store is of any use now.
  public var isIdle: Bool { entries.isEmpty && kept.isEmpty && overInStore.isEmpty }

  /// How long a claim of this node holds.
  public var lease: Duration { times.lease }

  /// The store is looked at now.
  public mutating func look(at now: Duration) {
    if let lookedAt, now - lookedAt > Self.longestGap { lost() }
    lookedAt = now
  }

  /// The alerts whose state is to be read, and the last number that is known of each.
  public var unknown: [(id: String, generation: Int)] {
    order.lazy.compactMap { id in
      guard let entry = self.entries[id], entry.phase == .waiting else { return nil }
      return (id, entry.generation)
    }.prefix(Self.readAtOnce).map { $0 }
  }

  /// The store says of an alert.
  public mutating func heard(_ id: String, _ seen: Seen, at now: Duration) {
    guard var entry = entries[id], entry.phase == .waiting else { return }
    if seen.isDone {
      note(entry.row(id))
      // A claim whose reply was lost, or that came too late, is to go.
      if entry.hasAsked { entries[id]?.phase = .delivered } else { remove(id) }
      return
    }
    // A store that was emptied knows less than this node, which goes on from what it knows.
    if let generation = seen.generation, generation > entry.generation {
      (entry.generation, entry.isMine, entry.since) = (generation, seen.lease == nil, now)
      entry.lease = seen.lease ?? .zero
    } else if entry.since == nil {
      entry.since = now
    }
    entries[id] = entry
  }

  /// The store was out of touch: nobody knows what others did meanwhile.
  public mutating func lost() {
    for (id, entry) in entries where entry.phase == .waiting && !entry.isMine {
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

  /// News for the store: alerts that are done, or given up, and how many numbers may have been
  /// claimed for each.
  public var news: [(id: String, until: Timestamp?, generations: Int)] {
    order.lazy.compactMap { id -> (id: String, until: Timestamp?, generations: Int)? in
      guard let entry = self.entries[id] else { return nil }
      switch entry.phase {
      case .delivered, .dropped: return (id, self.kept[id]?.until, entry.generation + 2)
      case .settling, .waiting, .sending: return nil
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

  /// Alerts that nobody can see any more.
  public var forgotten: [String] { Array(overInStore.prefix(Self.readAtOnce)) }

  /// The store has forgotten so many of them.
  public mutating func forgot(_ count: Int) { overInStore.removeFirst(count) }

  /// Everything that a store without any memory has to know: what is done, and what this node has
  /// under way.
  public var memory: (kept: [Kept], claim: (id: String, generation: Int)?) {
    let sending = order.first { entries[$0]?.phase == .sending }
    return (
      Array(kept.values), sending.flatMap { id in entries[id].map { (id, $0.generation) } }
    )
  }
}
