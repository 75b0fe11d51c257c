/// One configured budget: a policy for a scope and name over windows of one rule.
public struct BudgetDefinition: Hashable, Sendable {
  /// The budget's identity.
  public var key: BudgetKey
  /// When its windows begin and end; the parsed form of `key.windowText`.
  public var rule: WindowRule
  /// Its limit and mode.
  public var policy: BudgetPolicy
  /// Whose words it is written in.
  public var origin: BudgetOrigin

  /// Makes a budget; `rule` is what `key.windowText` means.
  public init(
    key: BudgetKey, rule: WindowRule, policy: BudgetPolicy, origin: BudgetOrigin
  ) {
    self.key = key
    self.rule = rule
    self.policy = policy
    self.origin = origin
  }

  /// Makes one of LiteLLM's budgets: a limit over rolling windows, enforced.
  public init(key: BudgetKey, windowLength: WindowLength, limit: PicoUSD?) {
    self.init(
      key: key, rule: .rolling(windowLength), policy: BudgetPolicy(limit: limit), origin: .liteLLM)
  }

  /// The limit. Nil: unlimited. Zero: nothing may be spent.
  public var limit: PicoUSD? { policy.limit }

  /// More windows than this no name has, those that patterns give it among them.
  public static let maximumWindowsPerName = 16
}

/// The limit of a budget, and its mode there. No part of its identity: another policy applies to the spend there is.
public struct BudgetPolicy: Hashable, Sendable {
  /// The limit. Nil: unlimited. Zero: nothing may be spent.
  public var limit: PicoUSD?
  /// The budget's mode at its limit.
  public var mode: BudgetMode

  /// Makes a policy.
  public init(limit: PicoUSD?, mode: BudgetMode = .enforce) {
    self.limit = limit
    self.mode = mode
  }
}

/// The ways of a budget at its limit. Raw values are those of the wire.
public enum BudgetMode: UInt8, CaseIterable, Hashable, Sendable {
  /// It denies.
  case enforce = 0
  /// It never denies; what it would have denied is counted.
  case shadow = 1
  /// It denies whatever is spent, free deployments too.
  case freeze = 2
}

extension BudgetMode: CustomStringConvertible {
  /// The mode in one lower-case word, as configurations have it.
  public var description: String {
    switch self {
    case .enforce: "enforce"
    case .shadow: "shadow"
    case .freeze: "freeze"
    }
  }
}

/// Whose words a budget is written in: its keys in Redis follow.
public enum BudgetOrigin: UInt8, Hashable, Sendable {
  /// LiteLLM's sections: LiteLLM's keys, shared with its proxies.
  case liteLLM = 0
  /// The section `budgetd:`, or a limit that LiteLLM keeps elsewhere: keys of budgetd's own.
  case own = 1
}

/// Budgets for every name that begins with a prefix and has no entry of the same window of its own.
public struct BudgetPattern: Hashable, Sendable {
  /// The pattern's identity; its name ends in `*`.
  public var key: BudgetKey
  /// When the windows of each name begin and end.
  public var rule: WindowRule
  /// The policy of each name.
  public var policy: BudgetPolicy

  /// Makes a pattern. Precondition: the key's name ends in `*`.
  public init(key: BudgetKey, rule: WindowRule, policy: BudgetPolicy) {
    precondition(key.name.utf8.last == UInt8(ascii: "*"), "a pattern ends in *")
    self.key = key
    self.rule = rule
    self.policy = policy
  }

  /// More patterns than this a configuration has not: each is a series of its own in metrics.
  public static let maximumCount = 1_000

  /// The beginning of each matching name.
  public var prefix: String { String(key.name.dropLast()) }
}

/// The providers, models and deployments that share a pool's budgets.
public struct PoolMembers: Hashable, Sendable {
  /// The pool's name.
  public var name: String
  /// Names of providers; one that ends in `*` stands for all that begin so.
  public var providers: [String]
  /// Public model names, likewise.
  public var models: [String]
  /// Ids of deployments, likewise.
  public var deployments: [String]

  /// Makes a pool from its members.
  public init(name: String, providers: [String], models: [String], deployments: [String]) {
    self.name = name
    self.providers = providers
    self.models = models
    self.deployments = deployments
  }

  /// More pools than this cannot be told apart by a candidate.
  public static let maximumCount = 64
}
