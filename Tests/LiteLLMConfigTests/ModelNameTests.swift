import BudgetModel
import Documents
import Testing

@testable import LiteLLMConfig

/// The meaning of requested model names, and aliases.
@Suite struct ModelNameTests {
  /// Every name of the list, in 200 model lists with aliases and wildcard groups.
  @Test func namesAreThoseOfLiteLLM() throws {
    let directory = PublishedProviders.directory(operatorModels: [])
    var count = 0
    for line in try TestFiles.lines("model_names.jsonl") {
      let deployments = try #require(line["models"]?.sequence).map { entry in
        let texts = entry.sequence?.compactMap(\.text) ?? []
        return ConfiguredDeployment(
          id: texts[2], modelName: texts[0], model: texts[1], provider: nil)
      }
      var aliases: [String: String] = [:]
      for entry in line["aliases"]?.mapping?.entries ?? [] {
        aliases[entry.key.text ?? ""] = (entry.value["model"] ?? entry.value).text
      }
      let groups = ConfiguredModels(
        BudgetConfiguration(
          budgets: [], deployments: deployments, aliases: aliases,
          directory: directory))
      for ask in try #require(line["asks"]?.mapping?.entries) {
        let name = try #require(ask.key.text)
        let ids: [String]? =
          switch groups.meaning(of: name) {
          case .group(let group): deployments.filter { $0.modelName == group }.map(\.id)
          case .deployment(let id): [id]
          case .model(let model): deployments.filter { $0.model == model }.map(\.id)
          case nil: nil
          }
        #expect(ids == ask.value.sequence?.compactMap(\.text), "\(name) of \(line.pythonText)")
        count += 1
      }
    }
    #expect(count > 2_000)
  }

  @Test func anAliasIsLookedUpOnce() throws {
    let config = try OwnFiles.load(
      """
      model_list:
      - {model_name: a, litellm_params: {model: openai/a}, model_info: {id: a}}
      - {model_name: d, litellm_params: {model: openai/d}, model_info: {id: d}}
      router_settings:
        model_group_alias:
          b: a
          c: {model: b, hidden: true}
          d: a
          e: os.environ/GROUP
          f: {hidden: true}
          g: 5
          h: ''
      """, environment: ["GROUP": "d"])
    #expect(config.budgets.aliases == ["b": "a", "c": "b", "d": "a", "e": "d"])
    let groups = ConfiguredModels(config.budgets)
    // The alias comes before the group of that name.
    #expect(
      ["a", "b", "c", "d", "e"].map(groups.meaning) == [
        .group("a"), .group("a"), nil, .group("a"), .group("d"),
      ])
    #expect(["b", "c", "z"].map(groups.publicName) == ["a", "b", "z"])
    let malformed =
      "this is no alias to LiteLLM: write the alias and its model group, such as gpt-4: "
    #expect(
      config.warnings.map(\.description) == [
        "c.yaml:7: router_settings.model_group_alias.c: no model_name is 'b', so the alias finds no "
          + "deployment: write the name of a model group"
      ]
        + zip(10..., ["f", "g", "h"]).map { line, name in
          "c.yaml:\(line): router_settings.model_group_alias.\(name): \(malformed)gpt-4o"
        })
    let list = try OwnFiles.load("router_settings: {model_group_alias: [a]}")
    #expect(list.budgets.aliases.isEmpty)
    #expect(list.warnings.first?.message.contains("no alias of it is known") == true)
  }

  @Test func aBudgetMayBeOfAnAliasOfItself() throws {
    let config = try OwnFiles.load(
      """
      router_settings: {model_group_alias: {a: a}}
      budgetd: {budgets: [{model: a, limit: 1, window: day}]}
      """)
    #expect(config.budgets.budgets.map(\.key.name) == ["a"])
  }

  /// The windows of LiteLLM's limit on everything.
  @Test func windowsOfTheTotalAreThoseOfLiteLLM() throws {
    let lengths: [String: WindowLength] = [
      "hour": .seconds(3_600), "day": .seconds(86_400), "week": .seconds(604_800),
    ]
    var units = 0
    for line in try TestFiles.lines("total_windows.jsonl") {
      let text = try #require(line["duration"]?.text)
      let length = try WindowLength(text: text)
      let isMonth = length == .seconds(2_592_000) || length == .months(1)
      // LiteLLM ends some windows sooner than they say; here they last as long as they say.
      let unit = line["unit"]?.text.flatMap { unit in
        (unit == "month" ? isMonth : lengths[unit] == length) ? unit : nil
      }
      let config = try OwnFiles.load(
        "litellm_settings: {max_budget: 5, budget_duration: '\(text)'}")
      #expect(config.budgets.budgets.map(\.key.windowText) == [unit ?? text])
      #expect(config.budgets.budgets.map { $0.rule.rollingLength } == [unit == nil ? length : nil])
      units += unit == nil ? 0 : 1
    }
    #expect(units == 16)
  }
}
