import BudgetModel
import LiteLLMConfig

extension Scenario {
  /// Reads one line of a trace. `line` is its number, for errors.
  init(json text: String, line: Int) throws(TraceError) {
    let node: ConfigNode
    do throws(ConfigError) {
      node = try ConfigNode.parse(json: text, file: "trace")
    } catch {
      let problem = error.problems.first
      throw TraceError(line: line, message: "no JSON: \(problem?.message ?? "\(error)")")
    }
    let reader = ScenarioReader(line: line)
    name = try reader.text(node["name"], "name")
    let start = try reader.text(node["start"], "start")
    guard let start = Timestamp(iso8601: start) else {
      throw TraceError(
        line: line, message: "start '\(start)' is no instant such as 2026-01-15T00:00:00Z")
    }
    self.start = start
    config = node["config"] ?? ConfigNode(.mapping(ConfigMapping([])))
    guard let steps = node["steps"]?.sequence else {
      throw TraceError(line: line, message: "steps is missing or no list")
    }
    var instances: Set<String> = []
    var needsRedis = false
    var needsSeveral = (node["instances"]?.sequence?.count ?? 0) > 1
    self.steps = []
    wantsConfigError = node["want"]?["config_error"]?.bool ?? false
    for step in steps {
      if let instance = step["instance"]?.text { instances.insert(instance) }
      if step["want"]?["config_error"]?.bool == true { wantsConfigError = true }
      let op = try reader.text(step["op"], "op")
      if op == "redis" || op == "start" {
        if op == "redis" { needsRedis = true } else { needsSeveral = true }
        continue
      }
      self.steps.append(
        Step(at: try reader.instant(step["at"], from: start), action: try reader.action(step, op)))
    }
    if needsSeveral || instances.count > 1 {
      skipReason = "needs several instances"
    } else if needsRedis {
      skipReason = "needs Redis"
    }
  }
}

/// Reads the parts of a scenario.
private struct ScenarioReader {
  let line: Int

  func text(_ node: ConfigNode?, _ name: String) throws(TraceError) -> String {
    guard let text = node?.text else {
      throw TraceError(line: line, message: "\(name) is missing or no text")
    }
    return text
  }

  /// Seconds since the start, to the millisecond.
  func instant(_ node: ConfigNode?, from start: Timestamp) throws(TraceError) -> Timestamp {
    guard let seconds = node?.number, abs(seconds) < 1e12 else {
      throw TraceError(line: line, message: "a step's at is missing or no number of seconds")
    }
    let milliseconds = Int64((seconds * 1_000).rounded())
    return Timestamp(unixMilliseconds: start.unixMilliseconds + milliseconds)
  }

  func action(_ step: ConfigNode, _ op: String) throws(TraceError) -> Scenario.Action {
    switch op {
    case "record":
      return .record(
        Scenario.RecordAction(
          provider: step["provider"]?.text ?? "", deploymentID: step["model_id"]?.text ?? "",
          tags: tags(step["tags"]), cost: cost(step["cost"]),
          wantsRefusal: step["want"]?["error"] != nil))
    case "filter":
      var candidates: [Scenario.Candidate] = []
      for deployment in step["deployments"]?.sequence ?? [] {
        candidates.append(
          Scenario.Candidate(
            id: deployment["id"]?.text ?? "", modelName: deployment["model_name"]?.text ?? "",
            model: deployment["model"]?.text ?? "", provider: deployment["provider"]?.text ?? ""))
      }
      let want = step["want"]
      return .filter(
        Scenario.FilterAction(
          candidates: candidates, tags: tags(step["tags"]),
          estimate: step["estimated_cost_usd"]?.number ?? 0, expected: want ?? step["expect"],
          anyMessage: want?["message"]?.text == "*"))
    case "budgets": return .budgets(expected: step["want"] ?? step["expect"])
    case "sync": return .sync
    default:
      throw TraceError(
        line: line,
        message: "op '\(op)' is none of record, filter, budgets, sync, start and redis")
    }
  }

  /// A list's texts; a text alone is one tag.
  private func tags(_ node: ConfigNode?) -> [String] {
    if let tag = node?.text { return [tag] }
    return (node?.sequence ?? []).compactMap(\.text)
  }

  /// JSON has no NaN and no infinity: they come as texts.
  private func cost(_ node: ConfigNode?) -> Double {
    node?.number ?? node?.text.flatMap { Double($0) } ?? .nan
  }
}
