import BudgetModel
import Documents
import TimeZones

@testable import LiteLLMConfig

/// Configurations with the section `budgetd:`, read with zones that stand in for the system's.
enum OwnFiles {
  static let berlin = ZoneTable(name: "Europe/Berlin", firstOffset: 3_600, transitions: [])

  /// Reads `yaml` as `c.yaml`. One zone is known beside UTC.
  static func load(_ yaml: String, environment: [String: String] = [:]) throws(DocumentError)
    -> LiteLLMConfig
  {
    try LiteLLMConfigLoader(environment: environment, zones: zone).load(yaml: yaml, file: "c.yaml")
  }

  static func zone(_ name: String) throws(ZoneError) -> ZoneTable {
    guard name == berlin.name else {
      throw .unknown(name: name, directory: "/zones", nearest: [berlin.name])
    }
    return berlin
  }

  /// Every budget and pattern in a line: scope, name and window, what begins it, what it allows.
  static func lines(_ config: LiteLLMConfig) -> [String] {
    config.budgets.budgets.map {
      line($0.key, $0.rule, $0.policy) + ($0.origin == .own ? "" : " LiteLLM")
    }
      + config.budgets.patterns.map { line($0.key, $0.rule, $0.policy) + " each" }
  }

  private static func line(_ key: BudgetKey, _ rule: WindowRule, _ policy: BudgetPolicy) -> String {
    let begins: String =
      switch rule {
      case .rolling: "rolling"
      case .calendar(let windows):
        "\(windows.unit) from \(windows.firstDay) in \(windows.zone.name)"
      }
    return "\(key), \(begins): \(policy.limit?.exactText ?? "-") \(policy.mode)"
  }

  /// All that is wrong with a section whose budgets are the lines of `entries`, from line 3 on.
  static func refusal(_ entries: String, before: String = "") -> [String] {
    problems(
      before + "budgetd:\n  budgets:\n"
        + entries.split(separator: "\n").map { "  - \($0)\n" }.joined())
  }

  static func problems(_ yaml: String) -> [String] {
    do throws(DocumentError) {
      _ = try load(yaml, environment: ["LIMIT": "7", "NAME": "groq"])
      return []
    } catch {
      return error.problems.map(\.description)
    }
  }
}
