import BudgetEngine
import BudgetModel
import Documents
import LiteLLMConfig

extension Scenario {
  /// Reads one line of a trace. `line` is its number, for errors.
  init(json text: String, line: Int) throws(TraceError) {
    let node: DocumentNode
    do throws(DocumentError) {
      node = try DocumentNode.parse(json: text, file: "trace")
    } catch {
      let problem = error.problems.first
      throw TraceError(line: line, message: problem?.message ?? "no valid JSON")
    }
    let reader = ScenarioReader(line: line)
    name = try reader.text(node["name"], "name")
    let start = try reader.text(node["start"], "start")
    guard let start = Timestamp(iso8601: start) else {
      throw TraceError(
        line: line, message: "start '\(start)' is not an instant such as 2026-01-15T00:00:00Z")
    }
    self.start = start
    config = node["config"] ?? DocumentNode(.mapping(DocumentMapping([])))
    windows = []
    for window in node["windows"]?.sequence ?? [] { windows.append(try reader.window(window)) }
    isStream = node["stream"]?.bool ?? false
    if isStream {
      steps = []
      wantsConfigError = false
      return
    }
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
      self.steps.append(try reader.step(step, op, from: start))
    }
    if needsSeveral || instances.count > 1 {
      skipReason = "needs several instances"
    } else if needsRedis {
      skipReason = "needs Redis"
    }
  }
}

extension Scenario.Step {
  /// Reads a line of a stream, a step of the scenario that began at `start`.
  init(json text: String, from start: Timestamp, line: Int) throws(TraceError) {
    let node: DocumentNode
    do throws(DocumentError) {
      node = try DocumentNode.parse(json: text, file: "trace")
    } catch {
      throw TraceError(line: line, message: error.problems.first?.message ?? "no valid JSON")
    }
    let reader = ScenarioReader(line: line)
    self = try reader.step(node, try reader.text(node["op"], "op"), from: start)
  }
}

/// Reads the parts of a scenario.
private struct ScenarioReader {
  let line: Int

  func text(_ node: DocumentNode?, _ name: String) throws(TraceError) -> String {
    guard let text = node?.text else {
      throw TraceError(line: line, message: "\(name) is missing or no text")
    }
    return text
  }

  /// Seconds since the start, to the millisecond.
  func instant(_ node: DocumentNode?, from start: Timestamp) throws(TraceError) -> Timestamp {
    guard let seconds = node?.number, abs(seconds) < 1e12 else {
      throw TraceError(line: line, message: "a step's at is missing or no number of seconds")
    }
    let milliseconds = Int64((seconds * 1_000).rounded())
    return Timestamp(unixMilliseconds: start.unixMilliseconds + milliseconds)
  }

  func step(
    _ step: DocumentNode, _ op: String, from start: Timestamp
  ) throws(TraceError) -> Scenario.Step {
    let at = try instant(step["at"], from: start)
    return Scenario.Step(at: at, action: try action(step, op, from: start))
  }

  /// A window as `windows` of a trace has it.
  func window(_ node: DocumentNode) throws(TraceError) -> BudgetWindowState {
    let scopeName = try text(node["scope"], "a window's scope")
    guard let scope = BudgetScope.allCases.first(where: { $0.description == scopeName }),
      let start = node["start"]?.text.flatMap({ Timestamp(iso8601: $0) }),
      let end = node["end"]?.text.flatMap({ Timestamp(iso8601: $0) }),
      let spend = node["spend"]?.text.flatMap({ PicoUSD(exactText: $0) }), spend >= .zero
    else {
      throw TraceError(
        line: line,
        message: "a window wants a scope, start and end as instants, and a spend as text")
    }
    return BudgetWindowState(
      key: BudgetKey(
        scope: scope, name: try text(node["name"], "a window's name"),
        windowText: try text(node["window"], "a window's length")),
      start: start, end: end, spend: spend)
  }

  private func action(
    _ step: DocumentNode, _ op: String, from start: Timestamp
  ) throws(TraceError) -> Scenario.Action {
    switch op {
    case "record":
      let committedAt = step["committed_at"]
      return .record(
        Scenario.RecordAction(
          provider: step["provider"]?.text ?? "",
          deploymentID: step["model_id"]?.text ?? "",
          modelName: step["model_name"]?.text ?? "", tags: tags(step["tags"]),
          cost: cost(step["cost"]),
          committedAt: committedAt == nil ? nil : try instant(committedAt, from: start),
          wantsRefusal: step["want"]?["error"] != nil,
          reservation: step["reservation"]?.text ?? ""))
    case "filter": return .filter(filter(step))
    case "reserve":
      return .reserve(
        Scenario.ReserveAction(
          filter: filter(step), amount: step["amount"]?.number,
          ttlMilliseconds: try ttl(step),
          id: try text(step["id"], "a reserve's id")))
    case "extend":
      return .extend(
        try text(step["reservation"], "an extend's reservation"), milliseconds: try ttl(step))
    case "release": return .release(try text(step["reservation"], "a release's reservation"))
    case "budgets": return .budgets(expected: step["want"] ?? step["expect"])
    case "sync": return .sync
    case "lost":
      return .lost(
        step["count"]?.number.flatMap { Int(exactly: $0) }.flatMap { $0 > 0 ? $0 : nil } ?? 1)
    case let name where ScenarioChange.names.contains(name):
      return try change(step, name, from: start)
    default:
      throw TraceError(
        line: line,
        message: "op '\(op)' is not one of record, filter, reserve, extend, release, budgets, "
          + "\(ScenarioChange.names.joined(separator: ", ")), sync, lost, start and redis")
    }
  }

  private func change(
    _ step: DocumentNode, _ name: String, from start: Timestamp
  ) throws(TraceError) -> Scenario.Action {
    let until = step["until"]
    let end = until == nil ? nil : try instant(until, from: start)
    do throws(ScenarioChange.Fault) {
      return .change(
        try ScenarioChange(step, name, until: end), wantsRefusal: step["want"]?["error"] != nil)
    } catch {
      throw TraceError(line: line, message: error.text)
    }
  }

  /// In milliseconds.
  private func ttl(_ step: DocumentNode) throws(TraceError) -> Int64 {
    let seconds = step["ttl"]?.number ?? 120
    guard (1...3_600).contains(seconds) else {
      throw TraceError(line: line, message: "a ttl is not 1 to 3600 seconds")
    }
    return Int64((seconds * 1_000).rounded())
  }

  private func filter(_ step: DocumentNode) -> Scenario.FilterAction {
    var candidates: [Scenario.Candidate] = []
    for deployment in step["deployments"]?.sequence ?? [] {
      candidates.append(
        Scenario.Candidate(
          id: deployment["id"]?.text ?? "", modelName: deployment["model_name"]?.text ?? "",
          model: deployment["model"]?.text ?? "", provider: deployment["provider"]?.text ?? "",
          resolvedProvider: deployment["resolved_provider"]?.text,
          estimate: deployment["estimated_cost_usd"]?.number))
    }
    let want = step["want"]
    return Scenario.FilterAction(
      modelName: step["model_name"]?.text ?? "", candidates: candidates,
      tags: tags(step["tags"]),
      estimate: step["estimated_cost_usd"]?.number ?? 0, expected: want ?? step["expect"],
      anyMessage: want?["message"]?.text == "*")
  }

  /// A list's texts; a text alone is one tag.
  private func tags(_ node: DocumentNode?) -> [String] {
    if let tag = node?.text { return [tag] }
    return (node?.sequence ?? []).compactMap(\.text)
  }

  /// JSON has no NaN and no infinity: they come as texts.
  private func cost(_ node: DocumentNode?) -> Double {
    node?.number ?? node?.text.flatMap { Double($0) } ?? .nan
  }
}
