import BudgetEngine
import BudgetModel
import JSONWriting

/// The lines of a trace, as deploy/trace-format.md describes them.
enum TraceText {
  /// The first bytes of every trace.
  static let start = Array(#"{"name":"budgetd "#.utf8)

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
      text.add("op", filter.reserve == nil ? "filter" : "reserve")
      if !filter.modelName.isEmpty { text.add("model_name", filter.modelName) }
      text.array("deployments") { text in
        for (index, candidate) in filter.candidates.enumerated() {
          text.object { text in
            text.add("id", candidate.id)
            text.add("model_name", candidate.modelName)
            text.add("model", candidate.model)
            text.add("resolved_provider", candidate.provider ?? "")
            if let reserve = filter.reserve {
              text.add("estimated_cost_usd", number: reserve.amounts[index].exactText)
            }
          }
        }
      }
      text.array("tags") { text in for tag in filter.tags { text.element(tag) } }
      if filter.estimate > .zero {
        text.add("estimated_cost_usd", number: filter.estimate.exactText)
      }
      if let reserve = filter.reserve {
        // A reservation that was not made has no name that a later step could use.
        text.add("id", reserve.id ?? "-")
        text.add("ttl", number: seconds(ofMilliseconds: reserve.ttlMilliseconds))
      }
      text.object("want") { text in
        if let reserve = filter.reserve {
          text.add("chosen", reserve.chosen.map { filter.candidates[Int($0)].id })
          text.add("message", filter.message.map { $0.hasSuffix("\n") ? $0 : "*" })
          return
        }
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

  /// A reservation that was given back.
  static func release(_ id: String, at now: Timestamp, since start: Timestamp) -> [UInt8] {
    var text = JSONText()
    text.object { text in
      text.add("at", number: seconds(from: start, to: max(now, start)))
      text.add("op", "release")
      text.add("reservation", id)
    }
    return line(text)
  }

  /// A reservation that is to last longer.
  static func extend(
    _ id: String, byMilliseconds ttl: Int64, at now: Timestamp, since start: Timestamp
  ) -> [UInt8] {
    var text = JSONText()
    text.object { text in
      text.add("at", number: seconds(from: start, to: max(now, start)))
      text.add("op", "extend")
      text.add("reservation", id)
      text.add("ttl", number: seconds(ofMilliseconds: ttl))
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
      if !record.modelName.isEmpty { text.add("model_name", record.modelName) }
      text.array("tags") { text in for tag in record.tags { text.element(tag) } }
      text.add("cost", number: record.cost.exactText)
      if !record.reservation.isEmpty { text.add("reservation", record.reservation) }
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
    seconds(ofMilliseconds: now.unixMilliseconds - start.unixMilliseconds)
  }

  private static func seconds(ofMilliseconds milliseconds: Int64) -> String {
    let rest = String(milliseconds.magnitude % 1_000)
    return (milliseconds < 0 ? "-" : "") + "\(milliseconds.magnitude / 1_000)."
      + String(repeating: "0", count: 3 - rest.count) + rest
  }

  /// The budgets and the model list in the words of configurations: nothing else, and no secrets.
  private static func addConfig(_ catalog: BudgetCatalog, to text: inout JSONText) {
    text.object("provider_budget_config") { add(catalog.budgets(.provider), to: &$0) }
    text.object("tag_budget_config") { add(catalog.budgets(.tag), to: &$0) }
    text.array("model_list") { text in
      for deployment in catalog.deployments {
        let budget = NameBytes.with(deployment.id) { id in
          catalog.budgets(.deployment, id).first { $0.definition.origin == .liteLLM }
        }
        text.object { text in
          text.add("model_name", deployment.modelName)
          text.object("litellm_params") { text in
            text.add("model", deployment.model)
            if let provider = deployment.provider { text.add("custom_llm_provider", provider) }
            guard let budget else { return }
            addLimit("max_budget", budget.definition.limit, to: &text)
            text.add("budget_duration", budget.definition.key.windowText)
          }
          text.object("model_info") { $0.add("id", deployment.id) }
        }
      }
    }
    addTotal(catalog, to: &text)
    addOwnSection(catalog, to: &text)
  }

  private static func add(_ budgets: CatalogBudgets, to text: inout JSONText) {
    for budget in budgets where budget.definition.origin == .liteLLM {
      text.object(budget.definition.key.name) { text in
        addLimit("budget_limit", budget.definition.limit, to: &text)
        text.add("time_period", budget.definition.key.windowText)
      }
    }
  }

  /// LiteLLM's limit on everything.
  private static func addTotal(_ catalog: BudgetCatalog, to text: inout JSONText) {
    let budget = catalog.budgets(.total).first { $0.definition.origin == .liteLLM }
    guard let definition = budget?.definition else { return }
    text.object("litellm_settings") { text in
      addLimit("max_budget", definition.limit, to: &text)
      text.add("budget_duration", definition.key.windowText)
      if case .calendar(let windows) = definition.rule { text.add("timezone", windows.zone.name) }
    }
  }

  /// The section of budgets that LiteLLM has no words for, and of patterns.
  private static func addOwnSection(_ catalog: BudgetCatalog, to text: inout JSONText) {
    let patterns = catalog.patternsInForce
    let own = catalog.budgets.filter {
      $0.definition.origin == .own && catalog.pattern(ofOwn: $0) == nil
    }
    if own.isEmpty, patterns.isEmpty { return }
    var pools = Dictionary(
      catalog.poolMembers.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    text.object("budgetd") { text in
      text.add("dynamic_budgets_full", catalog.dynamicBudgetsFull.rawValue)
      text.array("budgets") { text in
        for budget in own {
          // The members of a pool stand once.
          let isPool = budget.definition.key.scope == .pool
          let members = isPool ? pools.removeValue(forKey: budget.definition.key.name) : nil
          add(budget.definition, members, to: &text)
        }
        for pattern in patterns {
          add(
            BudgetDefinition(
              key: pattern.key, rule: pattern.rule, policy: pattern.policy, origin: .own),
            to: &text)
        }
      }
    }
  }

  private static func add(
    _ budget: BudgetDefinition, _ members: PoolMembers? = nil, to text: inout JSONText
  ) {
    let (key, rule, policy) = (budget.key, budget.rule, budget.policy)
    text.object { text in
      if key.scope == .total {
        text.add("total", true as Bool?)
      } else {
        text.add(key.scope.description, key.name)
      }
      if let members {
        text.object("of") { text in
          add("providers", members.providers, to: &text)
          add("models", members.models, to: &text)
          add("deployments", members.deployments, to: &text)
        }
      }
      addLimit("limit", policy.limit, to: &text)
      text.add("window", key.windowText)
      text.add("mode", policy.mode.description)
      guard case .calendar(let windows) = rule else { return }
      text.add("time_zone", windows.zone.name)
      if let day = windows.firstDayText { text.add("begins_on", day) }
    }
  }

  private static func add(_ name: String, _ texts: [String], to text: inout JSONText) {
    if texts.isEmpty { return }
    text.array(name) { text in for one in texts { text.element(one) } }
  }

  private static func addLimit(_ name: String, _ limit: PicoUSD?, to text: inout JSONText) {
    if let limit {
      text.add(name, number: limit.exactText)
    } else {
      text.add(name, nil as String?)
    }
  }
}
