import BudgetModel
import LiteLLMConfig

/// What a config says, as budgetd understands it.
struct ConfigReport {
  var path: String
  var budgets: [BudgetDefinition]
  var deployments: [ConfiguredDeployment]
  var computedIDs: [Bool]
  var redis: RedisSource?
  var warnings: [ConfigProblem]

  init(_ file: CheckedConfig, path: String) {
    self.path = path
    budgets = file.config.budgets.budgets
    deployments = file.config.budgets.deployments
    computedIDs = file.computedIDs
    redis = file.config.redis
    warnings = file.config.warnings
  }

  /// Deployments, budgets, warnings and a last line that sums up.
  var lines: [String] { lines(columns: nil) }

  /// The same, tables cut to what a terminal has.
  func lines(columns: Int?) -> [String] {
    var lines: [String] = []
    if !deployments.isEmpty {
      lines += PlainTable.lines(
        ["DEPLOYMENT", "GROUP", "MODEL", "PROVIDER", ""],
        deployments.enumerated().map { index, deployment in
          [
            deployment.id, deployment.modelName, deployment.model, deployment.provider ?? "NONE",
            isComputed(index) ? "id computed" : "",
          ]
        }, columns: columns)
      lines.append("")
    }
    if !budgets.isEmpty {
      lines += PlainTable.lines(
        ["BUDGET", "NAME", "LIMIT", "WINDOW"],
        budgets.map { budget in
          [
            budget.key.scope.description, budget.key.name,
            budget.limit.map { HumanText.money($0) } ?? "unlimited", budget.key.windowText,
          ]
        }, columns: columns)
      lines.append("")
    }
    lines += [redisLine, ""]
    lines += warnings.map { "warning: \($0.description.escapedForTerminal)" }
    if !warnings.isEmpty { lines.append("") }
    lines.append(summary)
    return lines
  }

  private var redisLine: String {
    guard let redis else { return "Redis: none, so each node keeps its budgets alone" }
    return "Redis: \(redis), from \(redis.origin)".escapedForTerminal
  }

  private var summary: String {
    func counted(_ count: Int, _ noun: String) -> String {
      "\(count) \(noun)\(count == 1 ? "" : "s")"
    }
    let unnamed = deployments.filter { $0.provider == nil }.count
    return "\(path.escapedForTerminal) is fine: \(counted(deployments.count, "deployment"))"
      + (unnamed > 0 ? " (\(unnamed) without a provider)" : "")
      + ", \(counted(budgets.count, "budget")), \(counted(warnings.count, "warning"))"
  }

  /// The same for machines.
  var json: JSONValue {
    .object([
      ("ok", .bool(true)),
      (
        "deployments",
        .array(
          deployments.enumerated().map { index, deployment in
            .object([
              ("id", .string(deployment.id)), ("id_computed", .bool(isComputed(index))),
              ("model_name", .string(deployment.modelName)), ("model", .string(deployment.model)),
              ("provider", deployment.provider.map(JSONValue.string) ?? .null),
            ])
          })
      ),
      (
        "budgets",
        .array(
          budgets.map { budget in
            .object([
              ("scope", .string(budget.key.scope.description)), ("name", .string(budget.key.name)),
              ("limit_usd", .optional(budget.limit?.dollars)),
              ("time_period", .string(budget.key.windowText)),
            ])
          })
      ),
      ("redis", redis.map(Self.json) ?? .null),
      ("warnings", .array(warnings.map(Self.json))),
      ("problems", .array([])),
    ])
  }

  /// The Redis for machines; of the password only whether there is one.
  private static func json(_ redis: RedisSource) -> JSONValue {
    .object([
      ("address", .string(redis.endpoint.description)),
      ("database", .integer(redis.database)),
      ("username", redis.username.map(JSONValue.string) ?? .null),
      ("has_password", .bool(redis.password != nil)),
      ("namespace", redis.namespace.map(JSONValue.string) ?? .null),
      ("origin", .string(redis.origin)),
    ])
  }

  /// A refused config for machines.
  static func json(refused error: ConfigError) -> JSONValue {
    .object([
      ("ok", .bool(false)), ("deployments", .array([])), ("budgets", .array([])),
      ("warnings", .array([])), ("problems", .array(error.problems.map(json))),
    ])
  }

  private static func json(_ problem: ConfigProblem) -> JSONValue {
    .object([
      ("file", .string(problem.file)), ("line", .integer(problem.line)),
      ("key", .string(problem.keyPath)), ("message", .string(problem.message)),
    ])
  }

  private func isComputed(_ index: Int) -> Bool {
    computedIDs.indices.contains(index) && computedIDs[index]
  }
}
