import BudgetModel
import Foundation
import SeededRandom
import Testing

@testable import BudgetEngine

/// Random budgets of all scopes and windows against an oracle that knows no slots: a dictionary from
/// budgets to what is spent in their windows.
struct OwnBudgetOracleTests {
  /// The budgets in force and their spend, by key.
  private struct Oracle {
    struct Open {
      var window: Window
      var spend: Int128
    }

    var budgets: [BudgetDefinition] = []
    var pools: [PoolMembers] = []
    var open: [BudgetKey: Open] = [:]

    func spend(_ key: BudgetKey, at now: Timestamp) -> Int128 {
      open[key].map { $0.window.isOpen(at: now) ? $0.spend : 0 } ?? 0
    }

    /// The budgets that have a say, in the order in which they are asked.
    func asked(_ names: Names) -> [(scope: BudgetScope, budgets: [BudgetDefinition])] {
      func of(_ scope: BudgetScope, _ name: String) -> (BudgetScope, [BudgetDefinition]) {
        let found = budgets.filter { $0.key.scope == scope && $0.key.name == name }
        let own = found.filter { $0.origin == .own }
        return (
          scope,
          found.filter { $0.origin == .liteLLM }
            + own.sorted { $0.rule.isShorter(than: $1.rule) }
        )
      }
      let pooled = pools.filter {
        $0.providers.contains(names.provider) || $0.deployments.contains(names.id)
          || $0.models.contains { names.model.hasPrefix($0.dropLast()) }
      }
      return [of(.provider, names.provider), of(.deployment, names.id), of(.model, names.model)]
        + pooled.map { of(.pool, $0.name) } + names.tags.map { of(.tag, $0) }
        + [of(.total, BudgetKey.totalName)]
    }

    mutating func record(_ amount: Int128, _ names: Names, at now: Timestamp) {
      for budget in asked(names).flatMap(\.budgets) {
        var open =
          open[budget.key]
          ?? Open(window: Window(start: now, end: .init(unixMilliseconds: -1)), spend: 0)
        if !open.window.isOpen(at: now) {
          open = Open(window: budget.rule.window(at: now), spend: 0)
        }
        open.spend += amount
        self.open[budget.key] = open
      }
    }

    private func denies(_ budget: BudgetDefinition, _ estimate: Int128, at now: Timestamp) -> Bool {
      if budget.policy.mode == .freeze { return true }
      guard budget.policy.mode == .enforce, let limit = budget.limit?.pico else { return false }
      let spend = spend(budget.key, at: now)
      return spend >= limit || spend + estimate > limit
    }

    /// The budgets that a denial of the candidate names; none: it is allowed.
    func denials(_ names: Names, _ estimate: Int128, at now: Timestamp) -> [BudgetKey] {
      func first(_ budgets: [BudgetDefinition], frozenOnly: Bool) -> BudgetKey? {
        guard let denial = budgets.first(where: { denies($0, estimate, at: now) }) else {
          return nil
        }
        if !frozenOnly { return denial.key }
        return budgets.first { $0.policy.mode == .freeze }?.key
      }
      let asked = asked(names)
      for (scope, budgets) in asked where scope != .tag && scope != .total {
        let isShared = scope == .model || scope == .pool
        if let key = first(budgets, frozenOnly: isShared && names.isFree) { return [key] }
      }
      return asked.filter { $0.scope == .tag || $0.scope == .total }
        .compactMap { first($0.budgets, frozenOnly: names.isFree) }
    }
  }

  private struct Names {
    var provider: String
    var id: String
    var model: String
    var tags: [String]
    var isFree: Bool
  }

  private static let windows = ["hour", "day", "week", "month", "year", "36h"]
  private static let names: [(BudgetScope, [String])] = [
    (.provider, ["p", "q"]), (.deployment, ["d1", "d2", "x"]), (.model, ["m", "n-1"]),
    (.pool, ["a", "b"]), (.tag, ["t", "u", "v"]), (.total, [BudgetKey.totalName]),
  ]

  private static func budgets(_ random: inout SeededRandom) throws -> [BudgetDefinition] {
    var budgets: [BudgetDefinition] = []
    for (scope, names) in names {
      for name in names {
        if scope == .provider {
          budgets.append(
            BudgetDefinition(
              key: BudgetKey(scope: scope, name: name, windowText: "5h"),
              windowLength: .seconds(18_000),
              limit: PicoUSD(pico: Int128.random(in: 0...400, using: &random))))
        }
        for window in windows.shuffled(using: &random).prefix(Int.random(in: 0...3, using: &random))
        {
          let isLimited = Int.random(in: 0..<6, using: &random) > 0
          let mode: BudgetMode =
            switch Int.random(in: 0..<24, using: &random) {
            case 0: .freeze
            case 1...3: .shadow
            default: .enforce
            }
          let limit = PicoUSD(pico: Int128.random(in: 0...900, using: &random))
          budgets.append(
            BudgetDefinition(
              key: BudgetKey(scope: scope, name: name, windowText: window),
              rule: try WindowRule(text: window),
              policy: BudgetPolicy(limit: isLimited ? limit : nil, mode: mode), origin: .own))
        }
      }
    }
    return budgets
  }

  private static let pools = [
    PoolMembers(name: "a", providers: ["p"], models: ["n-*"], deployments: []),
    PoolMembers(name: "b", providers: [], models: [], deployments: ["d1", "x"]),
  ]

  private static func configuration(_ budgets: [BudgetDefinition]) -> BudgetConfiguration {
    BudgetConfiguration(
      budgets: budgets, pools: pools,
      deployments: [
        ConfiguredDeployment(id: "d1", modelName: "m", model: "p/m", provider: "p"),
        ConfiguredDeployment(id: "d2", modelName: "n-1", model: "q/n", provider: "q", isFree: true),
      ], directory: .empty)
  }

  private static func names(_ random: inout SeededRandom) -> Names {
    let tags = ["t", "u", "v", "w"].filter { _ in Bool.random(using: &random) }
    switch Int.random(in: 0..<3, using: &random) {
    case 0: return Names(provider: "p", id: "d1", model: "m", tags: tags, isFree: false)
    case 1: return Names(provider: "q", id: "d2", model: "n-1", tags: tags, isFree: true)
    default:
      return Names(
        provider: ["p", "q", "r"].randomElement(using: &random) ?? "p", id: "x",
        model: ["m", "n-1", "n-2", "o"].randomElement(using: &random) ?? "m", tags: tags,
        isFree: false)
    }
  }

  private static func slots(_ names: Names, in catalog: BudgetCatalog) -> CandidateSlots {
    NameBytes.with(names.id) { id in
      NameBytes.with(names.model) { model in
        NameBytes.with(names.provider) { provider in
          // The model list has the names of its own entries.
          catalog.candidate(
            names.id == "x"
              ? CandidateNames(id: id, modelName: model, model: .absent, provider: provider)
              : CandidateNames(id: id, model: .absent, provider: .absent))
        }
      }
    }
  }

  @Test func decisionsAndSumsAreTheOracles() throws {
    let steps =
      ProcessInfo.processInfo.environment["BUDGETD_ORACLE_STEPS"].flatMap { Int($0) } ?? 20_000
    let given = ProcessInfo.processInfo.environment["SEED"].flatMap { UInt64($0) }
    var random = SeededRandom(seed: given ?? UInt64.random(in: 0...UInt64.max))
    let seed = random.seed
    var now = at(0)
    var oracle = Oracle(budgets: try Self.budgets(&random), pools: Self.pools)
    var engine = BudgetEngine(configuration: Self.configuration(oracle.budgets), at: now)
    func openProviders() {
      for budget in oracle.budgets
      where budget.origin == .liteLLM && !(oracle.open[budget.key]?.window.isOpen(at: now) ?? false)
      {
        oracle.open[budget.key] = .init(window: budget.rule.window(at: now), spend: 0)
      }
    }
    openProviders()
    var decision = FilterDecision()
    for step in 0..<steps {
      now.unixMilliseconds += Int64.random(in: 0...600_000, using: &random)
      let catalog = engine.catalog
      let names = Self.names(&random)
      switch Int.random(in: 0..<400, using: &random) {
      case 0:
        oracle.budgets = try Self.budgets(&random)
        _ = engine.reload(Self.configuration(oracle.budgets), at: now)
        // A window in which nothing was spent is not kept for a budget that is gone.
        let named = Set(oracle.budgets.map(\.key))
        oracle.open = oracle.open.filter { named.contains($0.key) || $0.value.spend > 0 }
        openProviders()
      case 1:
        let windows = engine.windows(of: catalog, countsPending: false, at: now)
        engine = BudgetEngine(restoring: windows)
        _ = engine.reload(Self.configuration(oracle.budgets), at: now)
        // Dropped budgets are the ledger's affair.
        let inForce = Set(oracle.budgets.map(\.key))
        oracle.open = oracle.open.filter { inForce.contains($0.key) }
        openProviders()
      case 2..<200:
        let amount = Int128.random(in: 0...40, using: &random)
        var charged = ChargedSlots()
        charged.add(Self.slots(names, in: catalog), in: catalog)
        for tag in names.tags {
          if let slot = NameBytes.with(tag, { catalog.tagSlot($0) }) {
            charged.addTag(slot: slot, in: catalog)
          }
        }
        charged.addTotal(in: catalog)
        engine.record(PicoUSD(pico: amount), to: charged, at: now)
        oracle.record(amount, names, at: now)
      default:
        let estimate = Bool.random(using: &random) ? 0 : Int128.random(in: 1...50, using: &random)
        var question = FilterQuestion()
        question.estimate = PicoUSD(pico: estimate)
        question.add(Self.slots(names, in: catalog))
        for tag in names.tags {
          if let slot = NameBytes.with(tag, { catalog.tagSlot($0) }) { question.addTag(slot: slot) }
        }
        engine.filter(question, in: catalog, at: now, into: &decision)
        let denials = decision.denials.compactMap {
          catalog.budget(ofSlot: $0.slot)?.definition.key
        }
        let wanted = oracle.denials(names, estimate, at: now)
        try #require(
          denials == wanted, "step \(step), seed \(seed), \(names), estimate \(estimate)")
        try #require(decision.allowed.isEmpty == !wanted.isEmpty, "step \(step), seed \(seed)")
      }
      guard step % 50 == 0 else { continue }
      for budget in engine.catalog.budgets {
        let report = engine.report(on: budget, at: now)
        let wanted = oracle.spend(budget.definition.key, at: now)
        try #require(
          report.spend.pico == wanted, "step \(step), seed \(seed), \(budget.definition.key)")
      }
    }
  }
}
