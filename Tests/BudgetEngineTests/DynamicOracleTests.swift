import BudgetModel
import Foundation
import SeededRandom
import Testing

@testable import BudgetEngine

/// Random names, patterns and entries against an account that knows no slots: spend by identity.
@Suite struct DynamicOracleTests {
  /// One identity's window and what waits.
  private struct Account {
    var window: Window?
    var spend: Int128 = 0
    var pending: Int128 = 0

    func spend(at now: Timestamp) -> Int128 {
      guard let window, window.isOpen(at: now) else { return 0 }
      return spend
    }
  }

  /// The parts of one denial that are compared.
  private struct Said: Equatable, CustomStringConvertible {
    var scope: BudgetScope
    var window: String
    var spend: Int128
    var limit: Int128
    var mode: BudgetMode

    var description: String { "\(scope) \(window) \(spend)/\(limit) \(mode)" }
  }

  /// Spend by identity, and the configuration in words.
  private struct Oracle {
    var configuration = DynamicHouse.configuration([])
    var accounts: [BudgetKey: Account] = [:]

    /// The budgets in force of a name, in the order in which they are asked.
    func budgets(_ scope: BudgetScope, _ name: String) -> [BudgetDefinition] {
      if name.isEmpty { return [] }
      let entries = configuration.budgets.filter {
        $0.key.scope == scope && $0.key.name == name
      }
      let given = configuration.patterns(giving: name, scope: scope).map { pattern in
        BudgetDefinition(
          key: BudgetKey(scope: scope, name: name, windowText: pattern.key.windowText),
          rule: pattern.rule, policy: pattern.policy, origin: .own)
      }
      return (entries + given).sorted { $0.rule.isShorter(than: $1.rule) }
    }

    func budgets(_ names: DynamicHouse.Names) -> [BudgetDefinition] {
      var seen: Set<BudgetKey> = []
      let all =
        budgets(.provider, names.provider) + budgets(.model, names.modelName)
        + names.tags.flatMap { budgets(.tag, $0) }
      return all.filter { seen.insert($0.key).inserted }
    }

    mutating func charge(_ cost: Int128, _ budget: BudgetDefinition, at now: Timestamp) {
      var account = accounts[budget.key] ?? Account()
      if account.window?.isOpen(at: now) != true {
        account.window = rule(budget).window(at: now)
        account.spend = 0
      }
      account.spend += cost
      accounts[budget.key] = account
    }

    private func rule(_ budget: BudgetDefinition) -> WindowRule { budget.rule }

    func denial(
      _ scope: BudgetScope, _ name: String, _ estimate: Int128, at now: Timestamp
    ) -> Said? {
      for budget in budgets(scope, name) {
        let account = accounts[budget.key] ?? Account()
        let spend = account.spend(at: now) + account.pending
        let limit = budget.policy.limit?.pico
        let denies: Bool =
          switch budget.policy.mode {
          case .freeze: true
          case .shadow: false
          case .enforce: limit.map { spend >= $0 || spend + estimate > $0 } ?? false
          }
        if denies {
          return Said(
            scope: scope, window: budget.key.windowText, spend: spend,
            limit: limit ?? BudgetDenial.noLimit.pico, mode: budget.policy.mode)
        }
      }
      return nil
    }

    func denials(
      _ names: DynamicHouse.Names, _ estimate: Int128, at now: Timestamp
    ) -> [Said] {
      if let own = denial(.provider, names.provider, estimate, at: now) { return [own] }
      if let own = denial(.model, names.modelName, estimate, at: now) { return [own] }
      var seen: Set<String> = []
      return names.tags.filter { seen.insert($0).inserted }.compactMap {
        denial(.tag, $0, estimate, at: now)
      }
    }
  }

  private static let steps =
    ProcessInfo.processInfo.environment["BUDGETD_ORACLE_STEPS"].flatMap(Int.init) ?? 20_000

  private static func name(_ random: inout SeededRandom) -> String {
    let group = ["user:", "user:vip-", "team:", ""].randomElement(using: &random) ?? ""
    return group + "\(Int.random(in: 0..<30, using: &random))"
  }

  private static func names(_ random: inout SeededRandom) -> DynamicHouse.Names {
    let tagCount = Int.random(in: 0...3, using: &random)
    return DynamicHouse.Names(
      provider: Bool.random(using: &random) ? name(&random) : "",
      modelName: Bool.random(using: &random) ? name(&random) : "",
      tags: (0..<tagCount).map { _ in name(&random) })
  }

  private static func policy(_ random: inout SeededRandom) -> BudgetPolicy {
    let mode: BudgetMode =
      switch Int.random(in: 0..<20, using: &random) {
      case 0: .freeze
      case 1: .shadow
      default: .enforce
      }
    let limit: Int128? =
      switch Int.random(in: 0..<12, using: &random) {
      case 0: nil
      case 1: 0
      default: Int128(Int.random(in: 1...200, using: &random))
      }
    return BudgetPolicy(limit: limit.map { PicoUSD(pico: $0) }, mode: mode)
  }

  private static func configuration(
    _ random: inout SeededRandom
  ) throws -> BudgetConfiguration {
    let windows = ["hour", "day", "week", "36h"]
    var entries: [BudgetKey: BudgetDefinition] = [:]
    for _ in 0..<Int.random(in: 0...20, using: &random) {
      var entry = try DynamicHouse.entry(
        [.provider, .model, .tag].randomElement(using: &random) ?? .tag, name(&random), nil,
        windows.randomElement(using: &random) ?? "day")
      entry.policy = policy(&random)
      entries[entry.key] = entry
    }
    var patterns: [BudgetKey: BudgetPattern] = [:]
    for _ in 0..<Int.random(in: 0...8, using: &random) {
      var pattern = try DynamicHouse.pattern(
        [.provider, .model, .tag, .tag].randomElement(using: &random) ?? .tag,
        ["*", "user:*", "user:vip-*", "user:1*", "team:*"].randomElement(using: &random) ?? "*",
        nil, windows.randomElement(using: &random) ?? "day")
      pattern.policy = policy(&random)
      patterns[pattern.key] = pattern
    }
    let byName: (BudgetKey, BudgetKey) -> Bool = { "\($0)" < "\($1)" }
    return DynamicHouse.configuration(
      patterns.values.sorted { byName($0.key, $1.key) },
      entries.values.sorted { byName($0.key, $1.key) })
  }

  @Test(arguments: [1, 2, 3] as [UInt64])
  func theEngineEqualsAnAccountWithoutSlots(seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    var oracle = Oracle()
    var house = DynamicHouse(restoring: [], bound: 100_000)
    var now: Int64 = 1_000_000_000
    var queued: [(ChargedSlots, [BudgetDefinition], Int128)] = []
    var compared = 0
    func settle(_ index: Int, commits: Bool) {
      let (charged, budgets, cost) = queued.remove(at: index)
      for budget in budgets { oracle.accounts[budget.key]?.pending -= cost }
      guard commits else { return house.engine.abandon(PicoUSD(pico: cost), of: charged) }
      house.engine.commit(PicoUSD(pico: cost), of: charged, at: DynamicHouse.time(now))
      for budget in budgets { oracle.charge(cost, budget, at: DynamicHouse.time(now)) }
    }
    for step in 0..<Self.steps / 3 {
      let names = Self.names(&random)
      let time = DynamicHouse.time(now)
      switch Int.random(in: 0..<1_000, using: &random) {
      case 0..<350:
        let cost = Int128(Int.random(in: 1...30, using: &random))
        for budget in oracle.budgets(names) { oracle.charge(cost, budget, at: time) }
        house.record(cost, names, at: now)
      case 350..<450:
        let cost = Int128(Int.random(in: 1...30, using: &random))
        let budgets = oracle.budgets(names)
        for budget in budgets { oracle.accounts[budget.key, default: Account()].pending += cost }
        queued.append((house.pend(cost, names, at: now), budgets, cost))
      case 450..<550 where !queued.isEmpty:
        settle(
          Int.random(in: 0..<queued.count, using: &random),
          commits: Int.random(in: 0..<4, using: &random) > 0)
      case 550..<600:
        house.engine.sweepDynamicBudgets(
          atMost: Int.random(in: 1...200, using: &random), at: time)
      case 600..<640: now += Int64.random(in: 1...20_000_000, using: &random)
      case 640..<650:
        oracle.configuration = try Self.configuration(&random)
        _ = house.engine.reload(oracle.configuration, at: time)
      case 650..<653:
        while !queued.isEmpty { settle(0, commits: true) }
        let windows = oracle.accounts.compactMap { key, account in
          account.window.map {
            BudgetWindowState(
              key: key, start: $0.start, end: $0.end, spend: PicoUSD(pico: account.spend))
          }
        }
        house = DynamicHouse(restoring: windows, bound: 100_000)
        _ = house.engine.reload(oracle.configuration, at: time)
      default:
        let estimate =
          Int.random(in: 0..<3, using: &random) == 0
          ? Int128(Int.random(in: 1...60, using: &random)) : 0
        let catalog = house.engine.catalog
        let said = house.decision(names, estimate: estimate, at: now).denials.map {
          Said(
            scope: $0.scope, window: catalog.spokenWindow(of: $0) ?? "", spend: $0.spend.pico,
            limit: $0.limit.pico, mode: $0.mode)
        }
        let expected = oracle.denials(names, estimate, at: time)
        compared += 1
        if said != expected {
          Issue.record("seed \(seed), step \(step): \(names) \(said), not \(expected)")
          return
        }
      }
    }
    #expect(compared > Self.steps / 20)
    let time = DynamicHouse.time(now)
    for (key, account) in oracle.accounts {
      for budget in oracle.budgets(key.scope, key.name) where budget.key == key {
        let spend =
          house.spend(key.scope, key.name, key.windowText, at: now)
          ?? house.entrySpend(key.scope, key.name, key.windowText, at: now) ?? 0
        #expect(spend == account.spend(at: time), "seed \(seed): \(key)")
      }
    }
  }
}
