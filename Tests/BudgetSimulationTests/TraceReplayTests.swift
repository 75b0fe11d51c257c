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
