public import BudgetModel
import Locks

/// A pattern, and the dynamic budgets that names have by it.
public struct PatternReport: Sendable {
  /// The pattern's number in the configuration.
  public let number: Int
  /// The pattern, with the policy in force.
  public let pattern: BudgetPattern
  /// The policy that the configuration gives it.
  public let configured: BudgetPolicy
  /// The changes in force; nil: there are none.
  public let changed: ChangedPolicy?
  /// The slot of the pattern's own budget.
  public let slot: Int32
  /// How many names have a budget by it.
  public internal(set) var live = 0
  /// How many of these have reached the limit, or are frozen.
  public internal(set) var exhausted = 0
  /// The sum that they have spent in their open windows, committed, as far as this node has heard.
  public internal(set) var spend = PicoUSD.zero
  /// Those that are nearest to their limits, as many as were asked for.
  public internal(set) var nearest: [DynamicReport] = []
  /// How often a charge found no place and went to the pattern's own budget, since the process
  /// started.
  public let overflowed: UInt64
  /// How often the budgets would have denied since then, where they only watch.
  public let shadowed: UInt64
}

/// A dynamic budget and when its windows begin and end.
public struct DynamicReport: Sendable {
  /// The budget's state.
  public let report: BudgetReport
  /// Its windows.
  public let rule: WindowRule
}

extension BudgetEngine {
  /// How many dynamic budgets are live, in force or not.
  public var dynamicBudgetCount: Int { dynamic.live }

  /// How many charges found no place since the process started.
  public var overflowedCharges: UInt64 { dynamic.allOverflowed }

  /// How many may be live.
  public var dynamicBudgetBound: Int { dynamic.bound }

  /// Gives back the dynamic budgets whose window has ended and for which nothing waits, among the
  /// next rows, `most` at most, and says how many. To be called again and again: each call goes on
  /// from the end of the last one.
  @discardableResult
  public func sweepDynamicBudgets(atMost most: Int, at now: Timestamp) -> Int {
    installed.withLock { $0.sweep(shards, atMost: most, at: now) }
  }
}

/// Looks at dynamic budgets, for people. Budgets may come and go meanwhile.
public struct DynamicReading {
  private let shards: BudgetShards
  private let dynamic: DynamicBudgets
  private let catalog: BudgetCatalog
  private let now: Timestamp

  /// Looks at those of `engine` as `catalog` has them in force, at `now`.
  public init(of engine: BudgetEngine, in catalog: BudgetCatalog, at now: Timestamp) {
    shards = engine.shards
    dynamic = engine.dynamic
    self.catalog = catalog
    self.now = now
  }

  /// The patterns, in the configuration's order, each with the `count` of its names that are nearest
  /// to their limits. Linear in the live budgets; holds each lock for a moment only.
  public func patterns(nearest count: Int = 0) -> [PatternReport] {
    let patterns = catalog.patterns
    var reports = patterns.definitions.indices.map { number in
      PatternReport(
        number: number, pattern: patterns.definitions[number],
        configured: patterns.configured[number].policy, changed: patterns.changed[number],
        slot: patterns.overflows[number],
        overflowed: dynamic.overflowed(patterns.overflows[number]),
        shadowed: shards.shadowed(patterns.overflows[number]))
    }
    if reports.isEmpty { return [] }
    var nearest = reports.map { _ in NearestBudgets(count: count) }
    dynamic.forEachLive { row, name in
      guard let standing = standing(row, name) else { return }
      let (number, spend) = (standing.pattern, standing.spend(at: now))
      reports[number].live += 1
      reports[number].spend += spend
      if standing.mode == .freeze || spend >= standing.limit { reports[number].exhausted += 1 }
      if count > 0 {
        nearest[number].offer(nearness(spend, standing)) { report(on: name.text, standing) }
      }
    }
    for number in reports.indices { reports[number].nearest = nearest[number].reports }
    return reports
  }

  private func nearness(_ spend: PicoUSD, _ standing: Standing) -> Nearness {
    Nearness(
      isLimited: standing.limit != BudgetCatalog.unlimited, spend: spend, limit: standing.limit)
  }

  /// A budget that is in force.
  private struct Standing {
    let pattern: Int
    let state: SlotState
    let kept: PicoUSD
    let limit: PicoUSD
    let mode: BudgetMode
    let changed: ChangedPolicy?

    func spend(at now: Timestamp) -> PicoUSD { state.spend(at: now) + state.others(at: now) }
  }

  /// The pattern, the state and the policy of a budget that is in force.
  private func standing(_ row: DynamicTable.Row, _ name: NameBytes) -> Standing? {
    guard let number = catalog.pattern(giving: row.scope, name, window: row.window) else {
      return nil
    }
    let (state, kept) = shards.stateAndKept(of: row.slot)
    guard state.life == row.life else { return nil }
    let (limit, mode) = catalog.policies.inForce(
      ofDynamic: row.slot, under: catalog.patterns.policy(number))
    return Standing(
      pattern: number, state: state, kept: kept, limit: limit, mode: mode,
      changed: catalog.policies.changed[row.slot] ?? catalog.patterns.changed[number])
  }

  /// The live budgets of the patterns of that scope and name that are nearest to their limits: by the
  /// part of the limit that is spent; those without one last. Linear in the live ones.
  public func nearest(_ count: Int, to scope: BudgetScope, _ pattern: String) -> [DynamicReport] {
    let patterns = catalog.patterns
    let asked = Set(
      patterns.definitions.indices.filter {
        patterns.definitions[$0].key.scope == scope
          && ExactText(patterns.definitions[$0].key.name) == ExactText(pattern)
      })
    if asked.isEmpty || count <= 0 { return [] }
    var nearest = NearestBudgets(count: count)
    dynamic.forEachLive { row, name in
      guard let standing = standing(row, name), asked.contains(standing.pattern) else { return }
      nearest.offer(nearness(standing.spend(at: now), standing)) {
        report(on: name.text, standing)
      }
    }
    return nearest.reports
  }

  /// Live budgets with an open window in which that part of the limit is spent, in percent, `most` at
  /// most. Linear in the live ones.
  public func reached(percent: Int, atMost most: Int) -> [DynamicReport] {
    var found: [DynamicReport] = []
    dynamic.forEachLive { row, name in
      guard found.count < most, let standing = standing(row, name),
        standing.limit != BudgetCatalog.unlimited
      else { return }
      let spend = standing.spend(at: now)
      guard spend > .zero, spend.pico * 100 >= standing.limit.pico * Int128(percent) else { return }
      found.append(report(on: name.text, standing))
    }
    return found
  }

  /// The budgets that patterns have given the name, the shortest window first.
  public func budgets(_ scope: BudgetScope, _ name: NameBytes) -> [DynamicReport] {
    var rows: [DynamicTable.Row] = []
    dynamic.forEach(scope, name) { rows.append($0) }
    return rows.compactMap { row in
      standing(row, name).map { report(on: name.text, $0) }
    }.sorted { $0.rule.isShorter(than: $1.rule) }
  }

  /// The windows of the budget of that key which a pattern gives its name, live or not; nil: none does.
  public func rule(of key: BudgetKey) -> WindowRule? {
    NameBytes.with(key.name) { name in
      let patterns = catalog.patterns
      guard name.fault == nil, let group = patterns.group(key.scope, of: name) else { return nil }
      let numbers = group.map { Int(patterns.members[$0]) }
      return numbers.first {
        ExactText(patterns.configured[$0].key.windowText) == ExactText(key.windowText)
          && catalog.pattern(giving: key.scope, name, window: patterns.windows[$0]) == $0
      }.map { patterns.definitions[$0].rule }
    }
  }

  /// The verdicts of the budgets that patterns give the name, live or not, on a request that is
  /// expected to cost `estimate`, each with its mode: as filtering judges it.
  public func verdicts(
    _ scope: BudgetScope, _ name: NameBytes, estimate: PicoUSD
  ) -> [(verdict: BudgetVerdict, mode: BudgetMode)] {
    let patterns = catalog.patterns
    guard name.fault == nil, let group = patterns.group(scope, of: name) else { return [] }
    let entries = catalog.rules(from: catalog.firstSlot(scope, name) ?? Slot.none)
    return group.compactMap { place in
      let pattern = patterns.definitions[Int(patterns.members[place])]
      if entries.contains(where: { $0.isLike(pattern.rule) }) { return nil }
      let window = patterns.windows[Int(patterns.members[place])]
      let row = dynamic.budget(scope, name, window: window)
      let (state, kept) = standing(row)
      let number = Int(patterns.members[place])
      let (amount, mode) =
        state.flatMap { _ in row }.map {
          catalog.policies.inForce(ofDynamic: $0.slot, under: patterns.policy(number))
        } ?? patterns.policy(number)
      let limit = amount == BudgetCatalog.unlimited ? nil : amount
      let compared = (state?.committedAndPending(at: now) ?? .zero) + kept
      let isForWantOfRoom = state == nil && patterns.full == .deny && dynamic.isFull
      let isReached =
        limit.map {
          isForWantOfRoom || FilterAsking.denies(compared, limit: $0, estimate: estimate)
        } ?? false
      return (
        BudgetVerdict(
          key: BudgetKey(scope: scope, name: name.text, windowText: pattern.key.windowText),
          limit: limit, compared: compared, pending: state?.pending ?? .zero,
          withheld: state?.withheld(at: now) ?? .zero, reserved: kept,
          resetsAt: state?.resetsAt(at: now) ?? pattern.rule.standingWindow(at: now)?.end,
          denies: mode == .freeze || mode == .enforce && isReached), mode
      )
    }
  }

  /// The state of a budget, and what is kept back there; nothing where it was lost.
  private func standing(_ row: DynamicTable.Row?) -> (state: SlotState?, kept: PicoUSD) {
    guard let row else { return (nil, .zero) }
    let (state, kept) = shards.stateAndKept(of: row.slot)
    return state.life == row.life ? (state, kept) : (nil, .zero)
  }

  /// The same of the public model name of a candidate.
  public func modelVerdicts(
    of names: CandidateNames, estimate: PicoUSD
  ) -> [(verdict: BudgetVerdict, mode: BudgetMode)] {
    var found: [(verdict: BudgetVerdict, mode: BudgetMode)] = []
    catalog.withBudgetedNames(names) { _, model in
      found = verdicts(.model, model, estimate: estimate)
    }
    return found
  }

  /// The last window of every live budget in force, none where more than `most` are live: there may be
  /// a million. With `countsPending` what waits to be recorded is part of the spend.
  public func windows(countsPending: Bool, atMost most: Int) -> [BudgetWindowState] {
    var windows: [BudgetWindowState] = []
    if dynamic.live == 0 || dynamic.live > most { return windows }
    dynamic.forEachLive { row, name in
      guard let standing = standing(row, name), standing.state.end != SlotState.never else {
        return
      }
      let state = standing.state
      let pending = countsPending ? state.pending : .zero
      windows.append(
        BudgetWindowState(
          key: report(on: name.text, standing).report.key, start: state.start,
          end: state.end, spend: state.spend + pending, others: state.others))
    }
    return windows
  }

  private func report(on name: String, _ standing: Standing) -> DynamicReport {
    let (state, pattern) = (standing.state, catalog.patterns.configured[standing.pattern])
    var report = BudgetReport(
      key: BudgetKey(
        scope: pattern.key.scope, name: name, windowText: pattern.key.windowText),
      limit: standing.limit == BudgetCatalog.unlimited ? nil : standing.limit,
      mode: standing.mode, origin: .own, spend: standing.spend(at: now),
      ownSpend: state.spend(at: now), resetsAt: state.resetsAt(at: now),
      startedAt: state.startedAt(at: now), charged: state.charged)
    (report.configured, report.changed) = (pattern.policy, standing.changed)
    report.reserved = standing.kept
    return DynamicReport(report: report, rule: pattern.rule)
  }
}

/// How near a budget is to its limit.
private struct Nearness: Comparable {
  var isLimited: Bool
  var spend: PicoUSD
  var limit: PicoUSD

  static func < (left: Nearness, right: Nearness) -> Bool {
    if left.isLimited != right.isLimited { return right.isLimited }
    guard left.isLimited else { return left.spend < right.spend }
    let (a, b) = (left.part, right.part)
    return a == b ? left.spend < right.spend : a < b
  }

  /// The part of the limit that is spent.
  private var part: Double { limit == .zero ? .infinity : spend.dollars / limit.dollars }
}

/// The nearest few of many, in order.
private struct NearestBudgets {
  private let count: Int
  private var ranks: [Nearness] = []
  private(set) var reports: [DynamicReport] = []

  init(count: Int) { self.count = count }

  mutating func offer(_ rank: Nearness, _ report: () -> DynamicReport) {
    if ranks.count == count, let last = ranks.last, !(last < rank) { return }
    let place = ranks.firstIndex { $0 < rank } ?? ranks.count
    ranks.insert(rank, at: place)
    reports.insert(report(), at: place)
    if ranks.count > count {
      ranks.removeLast()
      reports.removeLast()
    }
  }
}

extension BudgetCatalog {
  /// The answer to a filter of a name that found no place.
  public var dynamicBudgetsFull: DynamicBudgetsFull { patterns.full }

  /// Its patterns, in the configuration's order.
  public var patternsInForce: [BudgetPattern] { patterns.definitions }

  /// The number of the pattern that owns the budget; nil: no pattern does.
  public func pattern(ofOwn budget: CatalogBudget) -> Int? {
    patterns.overflows.firstIndex(of: budget.slot)
  }

  /// Whether there is a pattern of that scope and name.
  public func hasPattern(_ scope: BudgetScope, _ name: String) -> Bool {
    patterns.definitions.contains {
      $0.key.scope == scope && ExactText($0.key.name) == ExactText(name)
    }
  }
}
