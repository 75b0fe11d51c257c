import BudgetEngine
import BudgetModel
import JSONWriting

/// The lines of a trace, as deploy/trace-format.md describes them.
enum TraceText {
  /// The line that begins a scenario.
  static func header(_ state: TraceState, version: String) -> [UInt8] {
    var text = JSONText()
    text.object { text in
      text.add("name", "budgetd \(version) \(state.at.iso8601)")
      text.add("start", state.at.iso8601)
      text.add("stream", true as Bool?)
      text.object("config") { addConfig(state.catalog, to: &$0) }
      text.array("windows") { text in
        for window in state.windows {
          text.object { text in
            text.add("scope", window.key.scope.description)
            text.add("name", window.key.name)
            text.add("window", window.key.windowText)
            text.add("start", window.start.iso8601)
            text.add("end", window.end.iso8601)
            text.add("spend", (window.spend + window.others).exactText)
          }
        }
      }
    }
    return line(text)
  }

  /// A filter, and what was answered.
  static func filter(_ filter: TracedFilter, at now: Timestamp, since start: Timestamp) -> [UInt8] {
    var text = JSONText()
    text.object { text in
      text.add("at", number: seconds(from: start, to: now))
      text.add("op", "filter")
      text.array("deployments") { text in
        for candidate in filter.candidates {
          text.object { text in
            text.add("id", candidate.id)
            text.add("model_name", candidate.modelName)
            text.add("model", candidate.model)
            text.add("resolved_provider", candidate.provider ?? "")
          }
        }
      }
      text.array("tags") { text in for tag in filter.tags { text.element(tag) } }
      if filter.estimate > .zero {
        text.add("estimated_cost_usd", number: filter.estimate.exactText)
      }
      text.object("want") { text in
        text.array("allowed") { text in
          for position in filter.allowed { text.element(filter.candidates[Int(position)].id) }
        }
        text.add("exhausted", (filter.message != nil) as Bool?)
        // A text that was cut ends without a newline, and says only how much is missing.
        text.add("message", filter.message.map { $0.hasSuffix("\n") ? $0 : "*" })
      }
    }
    return line(text)
  }

  /// A cost that was recorded: it counted from `now` on, as spent from `recordedAt` on.
  static func record(
    _ record: TracedRecord, at now: Timestamp, recordedAt: Timestamp, since start: Timestamp
  ) -> [UInt8] {
    var text = JSONText()
    text.object { text in
      text.add("at", number: seconds(from: start, to: max(now, start)))
      text.add("op", "record")
      text.add("provider", record.provider)
      text.add("model_id", record.deploymentID)
      text.array("tags") { text in for tag in record.tags { text.element(tag) } }
      text.add("cost", number: record.cost.exactText)
      text.add("committed_at", number: seconds(from: start, to: max(recordedAt, now, start)))
    }
    return line(text)
  }

  /// Steps that are missing here.
  static func lost(_ count: UInt64, at now: Timestamp, since start: Timestamp) -> [UInt8] {
    var text = JSONText()
    text.object { text in
      text.add("at", number: seconds(from: start, to: max(now, start)))
      text.add("op", "lost")
      text.add("count", count as UInt64?)
    }
    return line(text)
  }

  private static func line(_ text: JSONText) -> [UInt8] { text.bytes + [UInt8(ascii: "\n")] }

  /// Milliseconds as seconds, exactly.
  private static func seconds(from start: Timestamp, to now: Timestamp) -> String {
    let milliseconds = now.unixMilliseconds - start.unixMilliseconds
    let rest = String(milliseconds.magnitude % 1_000)
    return (milliseconds < 0 ? "-" : "") + "\(milliseconds.magnitude / 1_000)."
      + String(repeating: "0", count: 3 - rest.count) + rest
  }

  /// The budgets and the model list in LiteLLM's words: nothing else of the configuration, and no
  /// secrets.
  private static func addConfig(_ catalog: BudgetCatalog, to text: inout JSONText) {
    text.object("provider_budget_config") { add(catalog.budgets(.provider), to: &$0) }
    text.object("tag_budget_config") { add(catalog.budgets(.tag), to: &$0) }
    text.array("model_list") { text in
      for deployment in catalog.deployments {
        let budget = NameBytes.with(deployment.id) { catalog.budget(.deployment, $0) }
        text.object { text in
          text.add("model_name", deployment.modelName)
          text.object("litellm_params") { text in
            text.add("model", deployment.model)
            if let provider = deployment.provider { text.add("custom_llm_provider", provider) }
            guard let budget else { return }
            addLimit("max_budget", budget.definition, to: &text)
            text.add("budget_duration", budget.definition.key.windowText)
          }
          text.object("model_info") { $0.add("id", deployment.id) }
        }
      }
    }
  }

  private static func add(_ budgets: CatalogBudgets, to text: inout JSONText) {
    for budget in budgets {
      text.object(budget.definition.key.name) { text in
        addLimit("budget_limit", budget.definition, to: &text)
        text.add("time_period", budget.definition.key.windowText)
      }
    }
  }

  private static func addLimit(
    _ name: String, _ definition: BudgetDefinition, to text: inout JSONText
  ) {
    if let limit = definition.limit {
      text.add(name, number: limit.exactText)
    } else {
      text.add(name, nil as String?)
    }
  }
}
