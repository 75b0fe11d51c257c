public import BudgetModel

/// A node's alerts from the moment they are due until the fleet knows that they were told: a value that
/// is told the time, as what has passed since some instant, and names the next steps.
///
/// Each attempt at a delivery has a claim of its own, by its number (generation): whoever is the first
/// to raise the number in the store makes the next attempt, the only one of that number. A node takes
/// over where it has seen another's claim unchanged for as long as that lasts, while it was in touch
/// with the store all the time: the other has died, or cannot reach the store. A store that may have
/// forgotten something is told it again, and nobody claims anything there for as long as a claim lasts.
/// So attempts of two nodes are always that far apart, and an alert is delivered twice only where the
/// one who delivered it could not confirm it, or the store forgot that while whoever knew it was away;
/// and with the same id.
public struct AlertBook: Sendable {
  /// One attempt at a delivery.
  public struct Attempt: Hashable, Sendable {
    /// The alert.
    public let alert: BudgetAlert
    /// Its id.
    public let id: String
    /// Its number.
    public let generation: Int
    /// Past that it must not be begun any more.
    let startBy: Duration

    /// Whether it may still be begun: its claim holds for as long as it can take.
    public func mayBegin(at now: Duration) -> Bool { now <= startBy }
  }

  /// The outcome of an attempt.
  public enum Outcome: Hashable, Sendable {
    case delivered
    case failed
    /// It came too late to be begun.
    case notBegun
  }

  /// An alert that was told, or given up, and until when that matters.
  public struct Kept: Hashable, Sendable {
    /// The alert's id.
    public var id: String
    /// The same, whatever the limit is.
    public var family: String
    /// Nobody sees its window any more from then on.
    public var until: Timestamp

    /// Makes a row.
    public init(id: String, family: String, until: Timestamp) {
      self.id = id
      self.family = family
      self.until = until
    }
  }

  /// Counts since the start.
  public struct Counts: Hashable, Sendable {
    /// Alerts that this node has delivered.
    public var sent = 0
    /// Attempts that failed.
    public var failed = 0
    /// Alerts whose window was over before any attempt succeeded.
    public var droppedForTime = 0
    /// Alerts that nobody tries to deliver any more.
    public var droppedForAttempts = 0

    /// Nothing has happened.
    public init() {}
  }

  enum Phase: Equatable, Sendable {
    /// Its window may not be the fleet's yet: so many whole passes have to end first.
    case settling(passes: Int)
    case waiting
    case sending
    /// Delivered here: the store is to be told.
    case delivered
    /// Nobody is to try again: the store is to be told.
    case dropped
  }

  struct Entry: Sendable {
    let alert: BudgetAlert
    let family: String
    var phase: Phase
    /// The last number that was claimed; -1: none.
    var generation = -1
    /// Who has claimed it; nil: this node.
    var claimant: String?
    /// Others' claim: since when it has been seen, in touch all the time; nil: not since. Mine: when
    /// its attempt ended.
    var since: Duration?
    /// How long others' claim holds.
    var lease = Duration.zero
    /// How many of my attempts failed in a row.
    var ownFailures = 0
  }

  /// The times in force.
  public var times: AlertTimes
  /// Whether other nodes are to be asked.
  let isShared: Bool
  var entries: [String: Entry] = [:]
  /// Their ids, the oldest first.
  var order: [String] = []
  /// Alerts that were told, by id.
  var kept: [String: Kept] = [:]
  /// Rows that are not on disk yet.
  private var unwritten: [Kept] = []
  /// Rows that are over and may still be on disk.
  private var overOnDisk: [String] = []
  /// Since when the store has been the same one, with all its memory; nil: none was found yet.
  var steadySince: Duration?
  /// When the store was looked at last.
  var lookedAt: Duration?
  /// Whether the node is about to end: nothing more is begun.
  public var isClosing = false
  /// The counts so far.
  public private(set) var counts = Counts()

  /// So many alerts wait at a time: past it those that are due wait outside.
  public static let mostWaiting = 1_000
  /// So many rows are kept. Past it nothing more is taken.
  static let mostKept = 60_000
  /// An alert waits for so many whole passes: one may have begun before it was seen.
  static let settlingPasses = 2
  /// An alert that is not brought again for so many passes was of a window that is not the fleet's.
  static let longestSettling = 3_600
  /// An alert may come so long after its window's end: an hour.
  static let graceMilliseconds: Int64 = 3_600_000

  /// A book that knows what was told before.
  public init(_ times: AlertTimes, isShared: Bool, restoring rows: some Sequence<Kept> = []) {
    self.times = times
    self.isShared = isShared
    for row in rows { kept[row.id] = row }
  }

  /// How many alerts wait to be delivered, by whomever.
  public var waiting: Int {
    entries.values.count { $0.phase != .delivered && $0.phase != .dropped }
  }

  /// The fate of an alert that is due.
  public enum Taking: Hashable, Sendable {
    /// It is here, or was told already: it need not be brought again.
    case taken
    /// It is here, and has to be brought again: what it says may not be the fleet's yet.
    case unsettled
    /// The book is full.
    case full
  }

  /// The families of alerts that were told.
  public var families: [String] { kept.values.map(\.family) }

  /// Takes an alert that is due.
  public mutating func take(_ alert: BudgetAlert) -> Taking {
    let id = alert.id
    if kept[id] != nil { return .taken }
    if let entry = entries[id] {
      guard case .settling(let passes) = entry.phase else { return .taken }
      if passes > 0 { return .unsettled }
      // Its window is still the same one.
      entries[id]?.phase = .waiting
      return .taken
    }
    guard entries.count < Self.mostWaiting, kept.count < Self.mostKept else { return .full }
    // Calendars' windows are the same everywhere, but a reset may be on its way.
    let phase = isShared ? Phase.settling(passes: Self.settlingPasses) : .waiting
    entries[id] = Entry(alert: alert, family: alert.family, phase: phase)
    order.append(id)
    return isShared ? .unsettled : .taken
  }

  /// The rows to be written to disk since the last call, and the ids of those that may go.
  public mutating func takeUnwritten() -> (kept: [Kept], over: [String]) {
    defer { (unwritten, overOnDisk) = ([], []) }
    return (unwritten, overOnDisk)
  }

  /// Nothing is told any more: what waits is forgotten, and what is under way goes to its end.
  public mutating func giveUp() {
    for (id, entry) in entries {
      switch entry.phase {
      // Its claim may be another node's: it goes from the store with its window.
      case .settling, .waiting: remove(id)
      case .sending, .delivered, .dropped: continue
      }
    }
  }

  // MARK: - Attempts

  /// The next alert that may be tried: its number is to be claimed. Nil: none, or one is under way.
  public func claimable(at now: Duration) -> (id: String, generation: Int)? {
    if isClosing || entries.values.contains(where: { $0.phase == .sending }) { return nil }
    if isShared {
      // Claims of before that the store may have lost are over, and told again, by then.
      guard let steadySince, now - steadySince >= times.lease else { return nil }
    }
    for id in order {
      guard let entry = entries[id], entry.phase == .waiting, isFree(entry, at: now) else {
        continue
      }
      return (id, entry.generation + 1)
    }
    return nil
  }

  private func isFree(_ entry: Entry, at now: Duration) -> Bool {
    guard entry.generation >= 0 else { return true }
    guard let since = entry.since else { return false }
    var wait = times.pause(after: entry.generation)
    if entry.claimant != nil {
      wait += entry.lease
    } else if isShared, entry.ownFailures > 1 {
      // The receiver may be out of this node's reach alone: the others have a turn.
      wait += times.lease * 2
    }
    return now - since >= wait
  }

  /// The number was claimed, as was asked for at `asked`: the attempt is to be made. Nil: the alert is
  /// not here any more.
  public mutating func begin(_ id: String, generation: Int, asked: Duration) -> Attempt? {
    guard var entry = entries[id], entry.phase == .waiting else { return nil }
    (entry.phase, entry.generation, entry.claimant, entry.since) = (.sending, generation, nil, nil)
    entries[id] = entry
    return Attempt(
      alert: entry.alert, id: id, generation: generation, startBy: asked + times.beginsWithin)
  }

  /// An attempt is over.
  public mutating func ended(_ attempt: Attempt, _ outcome: Outcome, at now: Duration) {
    guard var entry = entries[attempt.id], entry.phase == .sending,
      entry.generation == attempt.generation
    else { return }
    switch outcome {
    case .delivered:
      counts.sent += 1
      note(entry.row(attempt.id))
      entry.phase = .delivered
    case .failed, .notBegun:
      if outcome == .failed {
        counts.failed += 1
        entry.ownFailures += 1
      }
      (entry.phase, entry.since) = (.waiting, now)
      if attempt.generation + 1 >= AlertTimes.mostAttempts {
        counts.droppedForAttempts += 1
        note(entry.row(attempt.id))
        entry.phase = .dropped
      }
    }
    entries[attempt.id] = entry
    if !isShared, entry.phase != .waiting { remove(attempt.id) }
  }

  mutating func note(_ row: Kept) {
    kept[row.id] = row
    unwritten.append(row)
  }

  mutating func remove(_ id: String) {
    entries[id] = nil
    order.removeAll { $0 == id }
  }

  /// Time passes: alerts whose windows were over long ago are dropped, and rows of such forgotten.
  public mutating func expire(at now: Timestamp) {
    for (id, entry) in entries where entry.lastUse < now {
      switch entry.phase {
      case .sending, .delivered, .dropped: continue
      case .settling: remove(id)
      case .waiting:
        counts.droppedForTime += 1
        remove(id)
      }
    }
    for (id, row) in kept where row.until < now {
      kept[id] = nil
      overOnDisk.append(id)
    }
  }
}

extension AlertBook.Entry {
  /// Past that nobody wants to hear of it.
  var lastUse: Timestamp {
    let latest = Timestamp.latest.unixMilliseconds - AlertBook.graceMilliseconds
    return Timestamp(
      unixMilliseconds: min(alert.budget.window.end.unixMilliseconds, latest)
        + AlertBook.graceMilliseconds)
  }

  func row(_ id: String) -> AlertBook.Kept {
    AlertBook.Kept(id: id, family: family, until: lastUse)
  }
}
