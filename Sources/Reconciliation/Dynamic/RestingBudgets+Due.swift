import BudgetModel

extension RestingBudgets {
  /// A budget that a pass looks at.
  struct Due: Equatable {
    var head: Int32
    /// Whether its spend is told, or told again so that its marker is looked at.
    var tells: Bool
  }

  /// How many budgets one pass looks at.
  struct Bounds {
    /// Those whose news is told. All are told at the end of their window.
    var told: Int
    /// Those whose spend keys are read alone.
    var read: Int
    /// Those without news whose markers are checked.
    var checked: Int
    /// The heads that are gone through in turns.
    var visited: Int
  }

  /// The occasion of a look.
  enum Occasion {
    case ordinary
    /// Only windows that are about to end.
    case lastCall
    /// The node ends: all news is told.
    case last
  }

  /// Chooses the budgets that a pass looks at, and marks them awake.
  mutating func takeDue(
    _ occasion: Occasion, _ looking: DynamicLook, at now: Timestamp
  ) -> [Due] {
    var due = takeNews(occasion, looking, at: now)
    if occasion == .lastCall { return due }
    let reads = due.count + looking.bounds.read
    takeWatched(&due, atMost: reads, looking, at: now)
    takeInTurns(&due, atMost: reads, looking, at: now)
    return due
  }

  private mutating func wake(_ head: Int32, tells: Bool, _ due: inout [Due]) {
    self[head].flags.insert(.isAwake)
    due.append(Due(head: head, tells: tells))
  }

  private mutating func takeNews(
    _ occasion: Occasion, _ looking: DynamicLook, at now: Timestamp
  ) -> [Due] {
    var due: [Due] = []
    var kept = 0
    for place in unsent.indices {
      let head = unsent[place]
      guard self[head].flags.isSuperset(of: [.isHead, .isListed]) else { continue }
      guard let news = news(of: head, looking, at: now) else {
        self[head].flags.remove(.isListed)
        continue
      }
      unsent[kept] = head
      kept += 1
      guard !self[head].flags.contains(.isAwake) else { continue }
      let isLastCall = looking.pace.isLastCall(news.end, at: now)
      switch occasion {
      case .last: wake(head, tells: true, &due)
      case .lastCall: if isLastCall { wake(head, tells: true, &due) }
      case .ordinary:
        let isDue = looking.pace.isDue(news, at: now)
        if isDue, due.count < looking.bounds.told || isLastCall {
          wake(head, tells: true, &due)
        } else if isFirstCharge(head, at: now), due.count < looking.bounds.told {
          // Others may have spent in that window.
          wake(head, tells: false, &due)
        }
      }
    }
    unsent.removeLast(unsent.count - kept)
    return due
  }

  /// Whether the spend key was not read in the window that the news is of.
  private func isFirstCharge(_ head: Int32, at now: Timestamp) -> Bool {
    let record = self[head].record
    return self[head].readDue == Self.never || record.start != Self.never && record.end < now
  }

  /// The budget's news; nil: the store has all there is.
  mutating func news(
    of head: Int32, _ looking: DynamicLook, at now: Timestamp
  ) -> NewsPace.News? {
    if self[head].unsentSince == Self.never { self[head].unsentSince = now }
    let record = self[head].record
    var (unsent, own) = (PicoUSD.zero, PicoUSD.zero)
    var end: Timestamp?
    forEach(head) { row in
      let rest = max(.zero, row.cumulative - row.confirmed)
      if rest > .zero {
        unsent += rest
        end = min(end ?? row.end, row.end)
      }
      // One that has ended counts no more for the limit.
      if row.start == record.start || row.end >= now { own += row.cumulative }
    }
    guard let end else { return nil }
    let heard = self[head].flags.contains(.hasTotal) ? self[head].total : .zero
    let spent = max(heard + unsent, own)
    return NewsPace.News(
      unsent: unsent, left: looking.limit(self[head].pattern).map { $0 - spent },
      since: self[head].unsentSince, end: end)
  }

  private mutating func takeWatched(
    _ due: inout [Due], atMost bound: Int, _ looking: DynamicLook, at now: Timestamp
  ) {
    var kept = 0
    for place in watched.indices {
      let head = watched[place]
      guard self[head].flags.isSuperset(of: [.isHead, .isWatched]) else { continue }
      guard !self[head].flags.contains(.isAwake) else {
        self[head].flags.remove(.isWatched)
        continue
      }
      if due.count < bound, looking.pace.hasCome(self[head].readDue, at: now) {
        // How often it is read from now on its next rest says.
        self[head].flags.remove(.isWatched)
        wake(head, tells: false, &due)
        continue
      }
      watched[kept] = head
      kept += 1
    }
    watched.removeLast(watched.count - kept)
  }

  /// Others' spend on all of them, markers that are not pushed to, and windows that are over.
  private mutating func takeInTurns(
    _ due: inout [Due], atMost bound: Int, _ looking: DynamicLook, at now: Timestamp
  ) {
    let forgotten = Timestamp(
      unixMilliseconds: now.unixMilliseconds - looking.memoryMilliseconds)
    var checks = looking.bounds.checked
    for _ in 0..<min(Int(headCount), looking.bounds.visited) where due.count < bound {
      if cursor >= headCount { cursor = 0 }
      let head = cursor
      cursor += 1
      guard self[head].flags.contains(.isHead), !self[head].flags.contains(.isAwake) else {
        continue
      }
      if isOver(head, before: forgotten) {
        remove(head)
        continue
      }
      let isOpen = self[head].record.end >= now
      let isInherited = self[head].flags.contains(.isInherited)
      if checks > 0, isOpen || isInherited, isCheckDue(head, looking, at: now) {
        checks -= 1
        wake(head, tells: true, &due)
      } else if isOpen, looking.pace.hasCome(self[head].readDue, at: now) {
        wake(head, tells: false, &due)
      }
    }
  }

  /// Whether every window of the budget ended before `time`.
  private func isOver(_ head: Int32, before time: Timestamp) -> Bool {
    guard self[head].record.end < time else { return false }
    var isOver = true
    forEach(head) { if $0.end >= time { isOver = false } }
    return isOver
  }

  private func isCheckDue(
    _ head: Int32, _ looking: DynamicLook, at now: Timestamp
  ) -> Bool {
    let mergedAt = self[head].mergedAt
    if mergedAt == Self.never {
      // The store may have lost it again before the budget came to rest here.
      return self[head].flags.contains(.isInherited) || hasConfirmed(head)
    }
    if mergedAt < looking.checkedSince || mergedAt > now { return true }
    return now.unixMilliseconds - mergedAt.unixMilliseconds >= looking.checkMilliseconds
  }

  /// Whether the store has confirmed spend of the window that is the fleet's.
  private func hasConfirmed(_ head: Int32) -> Bool {
    let start = self[head].record.start
    var hasConfirmed = false
    forEach(head) { if $0.start == start, $0.confirmed > .zero { hasConfirmed = true } }
    return hasConfirmed
  }

  /// The end of the window with news that ends first, after `now`.
  func soonestEnd(after now: Timestamp) -> Timestamp? {
    var soonest: Timestamp?
    for head in unsent where self[head].flags.isSuperset(of: [.isHead, .isListed]) {
      forEach(head) { row in
        guard row.end > now, soonest.map({ row.end < $0 }) ?? true else { return }
        soonest = row.end
      }
    }
    return soonest
  }
}

/// The rules and bounds of a look at resting budgets.
struct DynamicLook {
  let pace: NewsPace
  let bounds: RestingBudgets.Bounds
  /// The limits of patterns, by number.
  let limits: [PicoUSD?]
  /// Markers that were looked at before this instant are looked at again: the link is another one.
  let checkedSince: Timestamp
  /// How long a budget without news goes without a look at its marker.
  let checkMilliseconds: Int64
  /// How long windows that have ended are watched for spend that comes late.
  let memoryMilliseconds: Int64

  func limit(_ pattern: Int32) -> PicoUSD? {
    limits.indices.contains(Int(pattern)) ? limits[Int(pattern)] : nil
  }
}
