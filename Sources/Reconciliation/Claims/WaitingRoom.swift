public import BudgetModel

/// Reservations that wait for room in budgets, until a call about those was answered.
///
/// A value: whoever has it says what time it is, tries reservations again when told to, and answers
/// them. Times are what has passed since some instant.
public struct WaitingRoom: Sendable {
  /// A reservation that waits.
  public typealias Ticket = UInt64

  /// A budget without room for a reservation, and how much it needs there.
  public struct Lack: Hashable, Sendable {
    /// Whose room.
    public var key: BudgetKey
    /// The amount, with what it adds to the cushion.
    public var amount: PicoUSD
    /// How long it would be held. With an amount of zero it is held already, and is to last longer.
    public var time: Duration

    /// Makes one.
    public init(_ key: BudgetKey, _ amount: PicoUSD, for time: Duration = .zero) {
      self.key = key
      self.amount = amount
      self.time = time
    }
  }

  /// The fate of a reservation that was tried again.
  public enum Outcome: Sendable {
    /// It was held, or denied by what is spent.
    case decided
    /// It still lacks room.
    case lacking([Lack])
  }

  /// A call about a budget was answered.
  public struct Answer: Sendable {
    /// The budget.
    public var key: BudgetKey
    /// The part of the limit that nobody has claimed once the call was granted what there was room for;
    /// nil: it could not have been granted what it listed.
    public var free: PicoUSD?
    /// When.
    public var at: Duration

    /// Makes one.
    public init(key: BudgetKey, free: PicoUSD?, at now: Duration) {
      (self.key, self.free, at) = (key, free, now)
    }
  }

  private struct Waiter {
    var lacks: [Lack]
    /// Budgets whose last call listed it.
    var listed: Set<BudgetKey> = []
    /// Budgets that have room for it by now, while it waits for others.
    var roomy: Set<BudgetKey> = []
    var deadline: Duration
  }

  private struct Refusal {
    var amount: PicoUSD
    var until: Duration
  }

  private let terms: ClaimTerms
  private var waiters: [Ticket: Waiter] = [:]
  /// First come, first.
  private var lists: [BudgetKey: [Ticket]] = [:]
  private var refusals: [BudgetKey: Refusal] = [:]
  /// The part of a budget that those need who have room there and wait for another: it is not given back.
  private var kept: [BudgetKey: [Ticket: PicoUSD]] = [:]

  /// Makes an empty room.
  public init(_ terms: ClaimTerms = ClaimTerms()) { self.terms = terms }

  /// How many wait.
  public var count: Int { waiters.count }

  /// Budgets for which something waits.
  public var budgets: [BudgetKey] { Array(lists.keys) }

  /// How much of a budget is needed by those that have room there, and wait for another one.
  public func kept(of key: BudgetKey) -> PicoUSD { kept[key]?.values.reduce(.zero, +) ?? .zero }

  /// Whether so much was refused a moment ago: asking again would find the same.
  public func isRefused(_ lack: Lack, at now: Duration) -> Bool {
    refusals[lack.key].map { now < $0.until && lack.amount >= $0.amount } ?? false
  }

  /// A reservation waits for all that it lacks, until `deadline` at most.
  public mutating func enter(_ ticket: Ticket, lacking lacks: [Lack], until deadline: Duration) {
    waiters[ticket] = Waiter(lacks: lacks, deadline: deadline)
    for lack in lacks { lists[lack.key, default: []].append(ticket) }
  }

  /// The amounts that wait for a budget, for the call that lists them.
  public mutating func takeWaiting(for key: BudgetKey) -> [PicoUSD] {
    guard let list = lists[key] else { return [] }
    for ticket in list.dropFirst(terms.waitingBound) { waiters[ticket]?.listed.remove(key) }
    return list.prefix(terms.waitingBound).map { ticket in
      waiters[ticket]?.listed.insert(key)
      return waiters[ticket]?.lacks.first { $0.key == key }?.amount ?? .zero
    }
  }

  /// How long the longest of those that wait for a budget would be held.
  public func longestTime(for key: BudgetKey) -> Duration {
    (lists[key] ?? []).reduce(.zero) { longest, ticket in
      max(longest, waiters[ticket]?.lacks.first { $0.key == key }?.time ?? .zero)
    }
  }

  /// A call about the budget was answered: each that waits for it is tried again, in order. `free`, as
  /// `Answer` has it: whoever was listed, and lacks more than that, is refused. Returns those that are
  /// refused.
  public mutating func answered(
    _ key: BudgetKey, free: PicoUSD?, at now: Duration, trying: (Ticket) -> Outcome
  ) -> [Ticket] {
    var refused: [Ticket] = []
    for ticket in tickets(for: key) where waiters[ticket] != nil {
      switch trying(ticket) {
      case .decided: leave(ticket)
      case .lacking(let lacks):
        let answer = Answer(key: key, free: free, at: now)
        guard isRefused(ticket, lacks, by: answer) else {
          moves(ticket, to: lacks)
          continue
        }
        leave(ticket)
        refused.append(ticket)
      }
    }
    return refused
  }

  /// Those that wait for a budget, first come first.
  public func tickets(for key: BudgetKey) -> [Ticket] { lists[key] ?? [] }

  /// Whether a reservation that was tried behind a call about the budget, and still lacks so much, is
  /// refused: then that is remembered, and so much is refused for a while.
  public mutating func isRefused(
    _ ticket: Ticket, _ lacks: [Lack], by answer: Answer
  ) -> Bool {
    guard let free = answer.free, waiters[ticket]?.listed.contains(answer.key) == true,
      let lack = lacks.first(where: { $0.key == answer.key })
    else { return false }
    // Who needs nothing but to be told of is refused nothing either. Records came between the call and its answer, and took what was granted: it is asked for again.
    if lack.amount <= free { return false }
    refusals[answer.key] = Refusal(amount: lack.amount, until: answer.at + terms.refusalMemory)
    return true
  }

  /// It lacks something else than before; its places in lists where it stays are the same.
  public mutating func moves(_ ticket: Ticket, to lacks: [Lack]) {
    guard let before = waiters[ticket] else { return }
    waiters[ticket]?.lacks = lacks
    let (old, new) = (Set(before.lacks.map(\.key)), Set(lacks.map(\.key)))
    for lack in before.lacks where !new.contains(lack.key) {
      take(ticket, from: lack.key)
      waiters[ticket]?.listed.remove(lack.key)
      waiters[ticket]?.roomy.insert(lack.key)
      kept[lack.key, default: [:]][ticket] = lack.amount
    }
    for key in new { giveUp(key, of: ticket) }
    for lack in lacks where !old.contains(lack.key) { lists[lack.key, default: []].append(ticket) }
  }

  /// It waits no more.
  public mutating func leave(_ ticket: Ticket) {
    guard let waiter = waiters.removeValue(forKey: ticket) else { return }
    for lack in waiter.lacks { take(ticket, from: lack.key) }
    for key in waiter.roomy { giveUp(key, of: ticket) }
  }

  private mutating func giveUp(_ key: BudgetKey, of ticket: Ticket) {
    waiters[ticket]?.roomy.remove(key)
    kept[key]?[ticket] = nil
    if kept[key]?.isEmpty == true { kept[key] = nil }
  }

  private mutating func take(_ ticket: Ticket, from key: BudgetKey) {
    lists[key]?.removeAll { $0 == ticket }
    if lists[key]?.isEmpty == true { lists[key] = nil }
  }

  /// Takes out those that have waited for as long as they may; not one that is just being tried.
  public mutating func takeOverdue(at now: Duration, besides tried: Ticket? = nil) -> [Ticket] {
    let overdue = waiters.filter { $0.value.deadline <= now && $0.key != tried }.map(\.key).sorted()
    for ticket in overdue { leave(ticket) }
    refusals = refusals.filter { now < $0.value.until }
    return overdue
  }

  /// Takes out all: the store is away, and nothing that waits would be answered.
  public mutating func takeAll() -> [Ticket] {
    let all = waiters.keys.sorted()
    waiters = [:]
    lists = [:]
    kept = [:]
    return all
  }

  /// When the next one has waited for as long as it may; nil: nobody waits.
  public var nextDeadline: Duration? { waiters.values.map(\.deadline).min() }
}

/// The pace of calls on demand. A value: time is told to it.
public struct DemandPace: Sendable {
  private let terms: ClaimTerms
  private var lastCall: Duration?
  private var learnsUntil: Duration?

  /// Makes the pace of a node that has not called yet.
  public init(_ terms: ClaimTerms = ClaimTerms()) { self.terms = terms }

  /// A call was made; `learning`: it found the fleet learning.
  public mutating func called(at now: Duration, learning: Bool) {
    lastCall = now
    learnsUntil = learning ? now + terms.learningTime : nil
  }

  /// In how long the next one may be made.
  public func wait(at now: Duration) -> Duration {
    guard let lastCall else { return .zero }
    let isLearning = learnsUntil.map { now < $0 } ?? false
    return max(.zero, lastCall + (isLearning ? terms.learningGap : terms.demandGap) - now)
  }
}
