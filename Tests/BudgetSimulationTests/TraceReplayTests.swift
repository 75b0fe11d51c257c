import BudgetModel
import BudgetSimulation
import Foundation
import LiteLLMConfig
import Testing

@Suite struct TraceReplayTests {
  private let replay = TraceReplay(loader: LiteLLMConfigLoader(environment: [:]))

  private func lines(_ name: String) throws -> [String] {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    let text = try String(contentsOf: folder.appending(path: "Vectors/\(name)"), encoding: .utf8)
    return text.split(separator: "\n").map(String.init)
  }

  @Test func everyAnswerOfLiteLLMIsOurs() throws {
    let lines = try lines("public.jsonl")
    #expect(lines.count == 267)
    for (index, line) in lines.enumerated() {
      let outcome = try replay.replay(line, number: index + 1)
      #expect(outcome.differences.isEmpty, "\(outcome.differences.joined(separator: "\n"))")
      #expect(!outcome.line.contains("\"skipped\""))
    }
  }

  @Test func everyFaultThatOneNodeCanShowHasTheWantedAnswer() throws {
    let lines = try lines("quirks.jsonl")
    #expect(lines.count == 36)
    var skipped: Set<String> = []
    for (index, line) in lines.enumerated() {
      let outcome = try replay.replay(line, number: index + 1)
      #expect(outcome.differences.isEmpty, "\(outcome.differences.joined(separator: "\n"))")
      let parts = outcome.line.split(separator: "\"")
      if parts.contains("skipped") { skipped.insert(String(parts[3])) }
    }
    // All of these start a second process, speak to Redis, or have two instances.
    #expect(
      skipped == [
        "other_instance_blocks_after_window_end",
        "reset_race_overwrites_other_instance",
        "changed_window_length_after_restart",
        "poison_value_repeats_other_increments",
        "nan_cost_repeats_other_increments",
        "unparsable_redis_value_stops_all_syncing",
        "lost_start_key_extends_window",
      ])
  }

  private func scenario(_ config: String, _ steps: String, _ rest: String = "") -> String {
    #"{"name": "s", "start": "2026-01-15T00:00:00Z", "config": \#(config), "#
      + #""steps": [\#(steps)]\#(rest)}"#
  }

  private let budget =
    #"{"provider_budget_config": {"openai": {"budget_limit": 1, "time_period": "1h"}}}"#
  private let filter =
    #"{"at": 1, "op": "filter", "deployments": [{"id": "o", "model": "openai/x"}], "tags": []"#

  /// Each change, and what one filter says then.
  @Test func operatorsChangesAreSteps() throws {
    func change(_ text: String) -> String { "{" + text + "}" }
    func ask(_ at: Int, _ allowed: Bool) -> String {
      #"{"at": \#(at), "op": "filter", "deployments": [{"id": "o", "model": "openai/x"}], "tags": [], "#
        + #""want": {"allowed": [\#(allowed ? "\"o\"" : "")], "exhausted": \#(!allowed), "#
        + #""message": \#(allowed ? "null" : "\"*\"")}}"#
    }
    let openai = #""scope": "provider", "name": "openai""#
    let steps = [
      change(#""at": 1, "op": "record", "provider": "openai", "cost": 1"#), ask(1, false),
      change(#""at": 2, "op": "set", \#(openai), "limit": 2, "until": 4"#), ask(3, true),
      ask(4, false),
      change(#""at": 5, "op": "raise", \#(openai), "by": 0.5"#), ask(5, true),
      change(#""at": 6, "op": "freeze", \#(openai)"#), ask(6, false),
      change(#""at": 7, "op": "shadow", \#(openai)"#), ask(7, true),
      change(#""at": 8, "op": "enforce", \#(openai)"#), ask(8, true),
      change(#""at": 9, "op": "clear", \#(openai)"#), ask(9, false),
      change(#""at": 10, "op": "reset", \#(openai), "to": 0.25"#), ask(10, true),
      change(
        #""at": 11, "op": "budgets", "want": {"openai": {"budget_limit": 1, "time_period": "1h", "#
          + #""spend": 0.25, "budget_reset_at": "2026-01-15T01:00:10+00:00"}}"#),
      change(#""at": 12, "op": "record", "provider": "openai", "cost": 0.75"#), ask(12, false),
      change(#""at": 13, "op": "set", \#(openai), "limit": null"#), ask(13, true),
      change(
        #""at": 14, "op": "set", "scope": "tag", "name": "x", "limit": 1, "want": {"error": "*"}"#),
      // As a server refuses them, and changes nothing.
      change(
        #""at": 14, "op": "set", \#(openai), "limit": 1, "until": 3, "want": {"error": "*"}"#),
      change(#""at": 14, "op": "shadow", "scope": "tag", "name": "x", "want": {"error": "*"}"#),
      ask(14, true),
      change(#""at": 15, "op": "set", \#(openai), "limit": 2"#), ask(15, true),
      change(#""at": 15, "op": "raise", \#(openai), "by": -3, "want": {"error": "*"}"#),
      change(#""at": 16, "op": "raise", \#(openai), "by": -1"#), ask(16, false),
    ]
    let outcome = try replay.replay(scenario(budget, steps.joined(separator: ", ")), number: 1)
    #expect(outcome.differences.isEmpty, "\(outcome.differences.joined(separator: "\n"))")
    for wrong in [
      #""op": "set", \#(openai)"#, #""op": "raise", \#(openai), "by": "x""#,
      #""op": "freeze", "scope": "provider""#, #""op": "reset", "scope": "x", "name": "y""#,
    ] {
      #expect(throws: TraceError.self) {
        try replay.replay(scenario(budget, change(#""at": 1, "# + wrong)), number: 1)
      }
    }
  }

  @Test func resultsAreShapedLikeTheExpectations() throws {
    let steps =
      #"{"at": 0.5, "op": "record", "provider": "openai", "model_id": "o", "tags": [], "#
      + #""cost": 0.3}, \#(filter)}, {"at": 2, "op": "budgets"}"#
    let outcome = try replay.replay(scenario(budget, steps), number: 1)
    #expect(
      outcome.line
        == #"{"name": "s", "results": [{"allowed": ["o"], "exhausted": false, "message": null}, "#
        + #"{"openai": {"budget_limit": 1.0, "time_period": "1h", "spend": 0.3, "#
        + #""budget_reset_at": "2026-01-15T01:00:00+00:00"}}]}"#)
    #expect(outcome.differences.isEmpty)
  }

  @Test func aFalseExpectationIsADifference() throws {
    let expected = #", "expect": {"allowed": [], "exhausted": true, "message": "x"}}"#
    let outcome = try replay.replay(scenario(budget, filter + expected), number: 1)
    #expect(
      outcome.differences == [
        #"s, step 1: allowed ["o"], expected []"#, "s, step 1: exhausted false, expected true",
        #"s, step 1: message none, expected "x""#,
      ])
    let wrongSpend =
      #"{"at": 1, "op": "budgets", "expect": {"openai": {"budget_limit": 1.0, "#
      + #""time_period": "1d", "spend": 1e-9, "budget_reset_at": "2026-01-15T01:00:02+00:00"}}}"#
    #expect(try replay.replay(scenario(budget, wrongSpend), number: 1).differences.count == 3)
  }

  @Test func reservationsAreHeldSettledGivenBackAndOver() throws {
    func reserve(_ at: Int, _ id: String, _ amount: Double, _ chosen: String?) -> String {
      #"{"at": \#(at), "op": "reserve", "id": "\#(id)", "amount": \#(amount), "ttl": 10, "#
        + #""deployments": [{"id": "o", "resolved_provider": "openai"}], "tags": [], "#
        + #""want": {"chosen": \#(chosen.map { "\"\($0)\"" } ?? "null"), "#
        + #""message": \#(chosen == nil ? "\"*\"" : "null")}}"#
    }
    let steps = [
      reserve(0, "a", 0.6, "o"), reserve(1, "b", 0.6, nil), reserve(1, "b", 0.4, "o"),
      #"{"at": 2, "op": "release", "reservation": "b"}"#, reserve(2, "c", 0.4, "o"),
      // The rest of the hold is free, and 0.1 is spent.
      #"{"at": 3, "op": "record", "provider": "openai", "cost": 0.1, "reservation": "a"}"#,
      reserve(3, "d", 0.6, nil), reserve(3, "d", 0.5, "o"),
      #"{"at": 4, "op": "extend", "reservation": "d", "ttl": 20}"#,
      // The third is over by its time, the fourth is not.
      reserve(13, "e", 0.5, nil), reserve(13, "e", 0.4, "o"), reserve(25, "f", 0.9, "o"),
    ]
    let outcome = try replay.replay(
      scenario(budget, steps.joined(separator: ", ")), number: 1)
    #expect(outcome.differences == [])
    #expect(outcome.line.contains(#"{"chosen": "o", "reserved_usd": 0.6, "message": null}"#))
    let wrong = try replay.replay(scenario(budget, reserve(0, "a", 2, "o")), number: 1)
    #expect(wrong.differences.count == 2)
    for (step, words) in [
      (#"{"at": 0, "op": "reserve", "deployments": []}"#, "a reserve's id"),
      (#"{"at": 0, "op": "reserve", "id": "a", "ttl": 0.5}"#, "a ttl"),
      (#"{"at": 0, "op": "release"}"#, "a release's reservation"),
    ] {
      let error = #expect(throws: TraceError.self) {
        try replay.replay(scenario(budget, step), number: 1)
      }
      #expect(error?.message.contains(words) == true)
    }
  }

  /// 20 requests of 0.1 that begin together, against a limit of 1: all are let through where a cost
  /// counts once it is known.
  @Test(arguments: [1, 4])
  func overspendIsOfWhatIsUnderWay(_ nodes: Int) throws {
    var plan = OverspendPlan()
    plan.nodes = nodes
    let overspend = TraceReplay(
      loader: LiteLLMConfigLoader(environment: [:]), overspend: plan)
    func steps(_ costs: Int, from start: Double) -> [String] {
      (0..<costs).map {
        #"{"at": \#(start + Double($0) / 100), "op": "record", "provider": "openai", "#
          + #""model_id": "o", "cost": 0.1}"#
      }
    }
    // Eight go before, one by one, so that the cost is known.
    let before = (0..<8).map {
      #"{"at": \#(4 * $0 + 3), "op": "record", "provider": "azure", "model_id": "o", "cost": 0.1}"#
    }
    let report = try #require(
      try overspend.replay(
        scenario(budget, (before + steps(20, from: 60)).joined(separator: ", ")), number: 1
      ).overspend)
    #expect(report.requests == 28 && report.without.admitted == 28)
    #expect(report.without.overspent.dollars == 1 && report.without.denied == 0)
    let passed = try #require(report.without.passed.first)
    #expect(passed.key.name == "openai" && passed.ratio == 1)
    #expect(report.with.overspent == .zero && report.with.passed.isEmpty)
    #expect(report.with.admitted == 18 && report.with.denied == 10)
  }

  @Test func nodesThatHaveNotAgreedOverspendMore() throws {
    func overspent(_ nodes: Int) throws -> Double {
      var plan = OverspendPlan()
      (plan.nodes, plan.latencyMilliseconds, plan.intervalMilliseconds) = (nodes, 0, 60_000)
      let replay = TraceReplay(loader: LiteLLMConfigLoader(environment: [:]), overspend: plan)
      let steps = (0..<40).map {
        #"{"at": \#($0), "op": "record", "provider": "openai", "model_id": "o", "cost": 0.1}"#
      }
      let outcome = try replay.replay(
        scenario(budget, steps.joined(separator: ", ")), number: 1)
      return try #require(outcome.overspend).without.overspent.dollars
    }
    // A cost that is known at once is no overspend for one node; each of four spends the limit.
    #expect(try overspent(1) == 0)
    #expect(try abs(overspent(4) - 3) < 1e-9)
  }

  /// The overspend of a trace of the openai budget, 1 an hour, on so many nodes.
  private func overspend(
    _ steps: [String], nodes: Int = 1, interval: Int64 = 1_000
  ) throws -> OverspendReport {
    var plan = OverspendPlan()
    (plan.nodes, plan.intervalMilliseconds) = (nodes, interval)
    let replay = TraceReplay(loader: LiteLLMConfigLoader(environment: [:]), overspend: plan)
    let line = scenario(budget, steps.map { "{\($0)}" }.joined(separator: ", "))
    return try #require(try replay.replay(line, number: 1).overspend)
  }

  private func cost(_ at: Double, _ cost: Double, _ rest: String = "") -> String {
    #""at": \#(at), "op": "record", "provider": "openai", "cost": \#(cost)\#(rest)"#
  }

  @Test func overspendIsOfTheLimitInForce() throws {
    let openai = #""scope": "provider", "name": "openai""#
    let costs = [cost(1, 0.5), cost(4, 0.6), cost(7, 1), cost(10, 1)]
    let raised = try overspend([#""at": 0, "op": "set", \#(openai), "limit": 100"#] + costs)
    for mode in [raised.without, raised.with] {
      #expect(mode.admitted == 4 && mode.denied == 0 && mode.overspent == .zero)
    }
    // From 3 on 0.5 is spent of 0.4: that was within the limit of then, and no more is let through.
    let lowered = try overspend(
      [costs[0], #""at": 1.5, "op": "set", \#(openai), "limit": 0.4"#] + costs.dropFirst())
    for mode in [lowered.without, lowered.with] {
      #expect(mode.admitted == 1 && mode.denied == 3 && mode.overspent == .zero)
    }
    // The second is under way when the limit becomes 0.4, and all of it is beyond that, as the first
    // was not; from 6 on there is room again.
    let passed = try overspend([
      costs[0], #""at": 3, "op": "set", \#(openai), "limit": 0.4, "until": 6"#, costs[1],
      #""at": 6, "op": "raise", \#(openai), "by": 0.5"#, cost(8.5, 0.1),
    ]).without
    #expect(passed.admitted == 3 && abs(passed.overspent.dollars - 0.6) < 1e-12)
    #expect(passed.passed.map(\.limit.dollars) == [0.4])
    // A budget that only watches is passed by nothing.
    let watching = try overspend([#""at": 0, "op": "shadow", \#(openai)"#] + costs)
    #expect(watching.without.admitted == 4 && watching.without.overspent == .zero)
  }

  @Test func overspendKnowsFrozenNamesAndResets() throws {
    // No budget is charged for the tag.
    let tagged = #", "tags": ["t"]"#
    let frozen = try overspend([
      #""at": 0, "op": "freeze", "scope": "tag", "name": "t", "until": 8"#,
      cost(3, 0.1, tagged), cost(4, 0.1), cost(11, 0.1, tagged),
    ])
    for mode in [frozen.without, frozen.with] {
      #expect(mode.admitted == 2 && mode.denied == 1)
    }
    // Nodes that have not agreed know of it too.
    let reset = try overspend(
      [
        #""at": 0, "op": "reset", "scope": "provider", "name": "openai", "to": 1"#,
        cost(3, 0.1), cost(4, 0.1),
      ], nodes: 2, interval: 60_000)
    #expect(reset.without.admitted == 0 && reset.without.overspent == .zero)
  }

  /// The amount is the chosen candidate's own, else the step's.
  @Test func overspendHoldsTheAmountsOfTheTrace() throws {
    func reserve(_ id: String, _ rest: String) -> String {
      #""at": 0, "op": "reserve", "id": "\#(id)", "want": {"chosen": "b"}, \#(rest)"#
    }
    let own =
      #""amount": 0.1, "deployments": [{"id": "a"}, {"id": "b", "estimated_cost_usd": 0.6}]"#
    let steps = [
      reserve("x", own), reserve("y", #""deployments": [{"id": "b"}], "amount": 0.6"#),
      cost(3, 0.6, #", "reservation": "x""#), cost(3.5, 0.6, #", "reservation": "y""#),
    ]
    let report = try overspend(steps)
    #expect(report.without.admitted == 2 && abs(report.without.overspent.dollars - 0.2) < 1e-12)
    #expect(report.with.admitted == 1 && report.with.denied == 1)
    #expect(report.with.overspent == .zero)
  }

  @Test func refusedConfigsAndWhatNeedsAFleetAreSaid() throws {
    let bad = #"{"provider_budget_config": {"openai": {"budget_limit": 1, "time_period": "1x"}}}"#
    let refused = try replay.replay(scenario(bad, filter + "}"), number: 1)
    #expect(refused.line.hasPrefix(#"{"name": "s", "config_error": ""#))
    #expect(refused.differences.count == 1)
    let wanted = try replay.replay(
      scenario(bad, filter + "}", #", "want": {"config_error": true}"#), number: 1)
    #expect(wanted.differences.isEmpty)
    let accepted = try replay.replay(
      scenario(budget, filter + "}", #", "want": {"config_error": true}"#), number: 1)
    #expect(accepted.differences.count == 1)
    let redis = #"{"at": 1, "op": "redis", "command": ["GET", "x"]}"#
    #expect(
      try replay.replay(scenario(budget, redis), number: 1).line
        == #"{"name": "s", "skipped": "needs Redis"}"#)
    #expect(
      try replay.replay(scenario(budget, "", #", "instances": ["a", "b"]"#), number: 1).line
        == #"{"name": "s", "skipped": "needs several instances"}"#)
  }

  /// Budgets of models, pools and of names by patterns have their say in a replay.
  @Test func ownBudgetsAndPatternsHaveTheirSay() throws {
    let config =
      #"{"model_list": [{"model_name": "chat", "litellm_params": {"model": "openai/gpt-4o"}, "#
      + #""model_info": {"id": "d"}}], "budgetd": {"budgets": ["#
      + #"{"model": "chat", "limit": 2, "window": "36h"}, "#
      + #"{"pool": "all", "of": {"models": ["c*"]}, "limit": 9, "window": "36h"}, "#
      + #"{"tag": "user:*", "limit": 1, "window": "36h"}]}}"#
    func record(_ at: Int, _ cost: Int, _ tag: String, _ names: String) -> String {
      #"{"at": \#(at), "op": "record", "tags": ["\#(tag)"], "cost": \#(cost), \#(names)}"#
    }
    func filter(_ at: Int, _ tag: String, _ message: String?) -> String {
      #"{"at": \#(at), "op": "filter", "deployments": [{"id": "d"}], "tags": ["\#(tag)"], "#
        + #""want": {"allowed": [\#(message == nil ? #""d""# : "")], "exhausted": \#(message != nil), "#
        + #""message": \#(message.map { "\"No deployments available - crossed budget: \($0)\\n\"" } ?? "null")}}"#
    }
    let steps = [
      record(1, 1, "user:a", #""model_id": "d""#),
      filter(2, "user:a", "Exceeded budget for tag user:a per 36h: 1.0 >= 1.0"),
      filter(3, "user:b", nil),
      record(4, 1, "x", #""model_name": "chat", "provider": "azure""#),
      filter(5, "user:b", "Exceeded budget for model chat per 36h: 2.0 >= 2.0"),
    ].joined(separator: ", ")
    let outcome = try replay.replay(scenario(config, steps), number: 1)
    for difference in outcome.differences { Issue.record("\(difference)") }
    // After its window a name's budget begins anew.
    let late = [record(1, 1, "user:a", #""model_id": "other""#), filter(200_000, "user:a", nil)]
    let again = try replay.replay(
      scenario(config, late.joined(separator: ", ")), number: 1)
    #expect(again.differences.isEmpty && outcome.line.contains("results"))
  }

  @Test func anotherConfigReplacesTheTraces() throws {
    let config = try LiteLLMConfigLoader(environment: [:]).load(
      yaml: """
        router_settings:
          provider_budget_config:
            openai: {budget_limit: 0, time_period: 1d}
        """, file: "mine.yaml")
    let replay = TraceReplay(loader: LiteLLMConfigLoader(environment: [:]), config: config)
    let outcome = try replay.replay(scenario(budget, filter + "}"), number: 1)
    #expect(outcome.line.contains("Exceeded budget for provider openai: 0.0 >= 0.0"))
  }

  @Test func whatIsNoTraceIsRefusedWithItsLine() {
    let bad: [(String, String)] = [
      ("{", "line 9: no valid JSON"), (#"{"name": 1}"#, "line 9: name is missing or no text"),
      (#"{"name": "s", "start": "now"}"#, "line 9: start 'now' is not an instant"),
      (#"{"name": "s", "start": "2026-01-15T00:00:00Z"}"#, "line 9: steps is missing"),
      (scenario(budget, #"{"at": "x", "op": "filter"}"#), "line 9: a step's at is missing"),
      (scenario(budget, #"{"at": 1, "op": "dance"}"#), "line 9: op 'dance' is not one of"),
    ]
    for (line, message) in bad {
      do throws(TraceError) {
        _ = try replay.replay(line, number: 9)
        Issue.record("accepted: \(line)")
      } catch {
        #expect(error.description.hasPrefix(message), "\(error)")
      }
    }
  }
}
