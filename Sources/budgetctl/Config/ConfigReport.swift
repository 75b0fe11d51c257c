import BudgetModel
import Documents
import JSONWriting
import LiteLLMConfig

/// A config as budgetd understands it.
struct ConfigReport {
  var path: String
  var budgets: ConfigBudgets
  var deployments: [ConfiguredDeployment]
  var facts: [DeploymentFacts]
  var waiting: [WaitingBudget]
  var included: [String]
  var redis: RedisSource?
  var alerts: ConfigAlerts?
  var warnings: [DocumentProblem]
  /// Files of certificates and secrets that cannot be used here, in words.
  var fileFaults: [String]

  init(_ file: CheckedConfig, path: String) {
    self.path = path
    budgets = ConfigBudgets(
      configuration: file.config.budgets,
      now: Timestamp(unixMilliseconds: BudgetsCommand.now()))
    deployments = file.config.budgets.deployments
    facts = file.config.deploymentFacts
    waiting = file.config.waitingBudgets
    included = file.config.includedFiles
    redis = file.config.redis
    alerts = file.config.alerts.map { ConfigAlerts(settings: $0) }
    warnings = file.config.warnings
    fileFaults = ConfigFiles.named(by: file.config).compactMap(\.fault)
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
            note(index),
          ]
        }, columns: columns)
      lines.append("")
    }
    lines += budgets.lines(columns: columns)
    if !waiting.isEmpty {
      lines += PlainTable.lines(
        ["BUDGET", "NAME", "LIMIT", "WINDOW"],
        waiting.map { budget in
          [
            "deployment", "\(budget.modelName) (\(budget.model)) waits for its id",
            budget.limit.map { HumanText.money($0) } ?? "unlimited", budget.windowText,
          ]
        }, columns: columns)
      lines.append("")
    }
    if !included.isEmpty {
      lines.append("Included: \(included.joined(separator: ", "))".printable)
    }
    lines += [redisLine, ""]
    if let alerts { lines += alerts.lines.map(\.printable) + [""] }
    lines += warnings.map { "warning: \($0.description.printable)" }
    lines += fileFaults.map { "warning: \($0.printable)" }
    if !warnings.isEmpty || !fileFaults.isEmpty { lines.append("") }
    lines.append(summary)
    return lines
  }

  private var redisLine: String {
    guard let redis else { return "Redis: none, so each node keeps its budgets alone" }
    return "Redis: \(redis), from \(redis.origin)".printable
  }

  private var summary: String {
    func counted(_ count: Int, _ noun: String) -> String {
      "\(count) \(noun)\(count == 1 ? "" : "s")"
    }
    let unnamed = deployments.filter { $0.provider == nil }.count
    let (named, patterns) = (budgets.configuration.budgets, budgets.configuration.patterns)
    let verdict =
      named.isEmpty && patterns.isEmpty ? "loads, but no budget is in force" : "is fine"
    return "\(path.printable) \(verdict): \(counted(deployments.count, "deployment"))"
      + (unnamed > 0 ? " (\(unnamed) without a provider)" : "")
      + ", \(counted(named.count, "budget"))"
      + (patterns.isEmpty ? "" : ", \(counted(patterns.count, "pattern"))")
      + (waiting.isEmpty ? "" : " and \(waiting.count) that wait for an id")
      + ", \(counted(warnings.count + fileFaults.count, "warning"))"
  }

  /// The same for machines; `against`: what a server would make of it, where one was asked.
  func json(against: JSONValue?) -> JSONValue {
    .object(
      [
        ("ok", .bool(true)),
        (
          "deployments",
          .array(
            deployments.enumerated().map { index, deployment in
              .object([
                ("id", .string(deployment.id)),
                ("id_computed", .bool(fact(index)?.hasComputedID ?? false)),
                ("model_name", .string(deployment.modelName)), ("model", .string(deployment.model)),
                ("provider", deployment.provider.map(JSONValue.string) ?? .null),
                (
                  "dropped_by_litellm",
                  fact(index)?.droppedBecause.map(JSONValue.string) ?? .null
                ),
              ])
            })
        ),
      ] + budgets.members + [
        ("waiting_budgets", .array(waiting.map(Self.json))),
        ("included_files", .array(included.map(JSONValue.string))),
        ("redis", redis.map(Self.json) ?? .null),
        ("alerts", alerts?.json ?? .null),
        ("warnings", .array(warnings.map(Self.json))),
        ("file_warnings", .array(fileFaults.map(JSONValue.string))),
        ("problems", .array([])),
      ] + (against.map { [("against", $0)] } ?? []))
  }

  /// The Redis for machines; of the password only whether there is one.
  private static func json(_ redis: RedisSource) -> JSONValue {
    .object([
      ("address", .string(redis.endpoint.description)),
      ("database", .integer(redis.database)),
      ("verification", redis.tls.map { .string($0.verification.rawValue) } ?? .null),
      ("username", redis.username.map(JSONValue.string) ?? .null),
      ("has_password", .bool(redis.password != nil)),
      ("namespace", redis.namespace.map(JSONValue.string) ?? .null),
      ("origin", .string(redis.origin)),
    ])
  }

  private static func json(_ budget: WaitingBudget) -> JSONValue {
    .object([
      ("model_name", .string(budget.modelName)), ("model", .string(budget.model)),
      ("limit_usd", .optional(budget.limit?.dollars)), ("time_period", .string(budget.windowText)),
      ("reason", .string(budget.reason)),
    ])
  }

  /// A refused config for machines.
  static func json(refused error: DocumentError) -> JSONValue {
    .object([
      ("ok", .bool(false)), ("deployments", .array([])), ("budgets", .array([])),
      ("warnings", .array([])), ("problems", .array(error.problems.map(json))),
    ])
  }

  private static func json(_ problem: DocumentProblem) -> JSONValue {
    .object([
      ("file", .string(problem.file)), ("line", .integer(problem.line)),
      ("key", .string(problem.keyPath)), ("message", .string(problem.message)),
    ])
  }

  private func fact(_ index: Int) -> DeploymentFacts? {
    facts.indices.contains(index) ? facts[index] : nil
  }

  private func note(_ index: Int) -> String {
    guard let fact = fact(index) else { return "" }
    if fact.droppedBecause != nil { return "LiteLLM drops it" }
    return fact.hasComputedID ? "id computed" : ""
  }
}
