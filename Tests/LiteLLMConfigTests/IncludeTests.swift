import BudgetModel
import Documents
import Testing

@testable import LiteLLMConfig

/// Files that name files.
@Suite struct IncludeTests {
  private static let root = "conf/c.yaml"

  /// Reads `conf/c.yaml` of a disk that has these files.
  private func load(_ files: [String: String], rootFolder: String? = nil) throws -> LiteLLMConfig {
    let includes = ConfigIncludes(
      workingFolder: "/srv", rootFolder: rootFolder, exists: { files[$0] != nil },
      bytes: { path throws(DocumentError) in Array((files[path] ?? "").utf8) })
    return try LiteLLMConfigLoader(environment: [:]).load(
      yaml: Array((files[Self.root] ?? "").utf8), file: Self.root, includes: includes)
  }

  private func refusal(_ files: [String: String]) -> [String] {
    let error = #expect(throws: DocumentError.self) { try load(files) }
    return error?.problems.map(\.description) ?? []
  }

  private static func models(_ names: String...) -> String {
    "model_list:\n"
      + names.map {
        "- {model_name: \($0), litellm_params: {model: openai/\($0)}, model_info: {id: \($0)}}\n"
      }.joined()
  }

  private func names(_ config: LiteLLMConfig) -> [String] {
    config.budgets.deployments.map(\.modelName)
  }

  @Test func listsAreJoinedInTheOrderOfTheQueue() throws {
    let config = try load([
      Self.root: "include: [a.yaml, sub/b.yaml]\n" + Self.models("root"),
      "conf/a.yaml": "include: [x.yaml]\n" + Self.models("a"),
      "conf/sub/b.yaml": Self.models("b"), "conf/x.yaml": Self.models("x"),
    ])
    #expect(names(config) == ["root", "a", "b", "x"])
    #expect(config.includedFiles == ["conf/a.yaml", "conf/sub/b.yaml", "conf/x.yaml"])
    #expect(config.warnings.isEmpty)
  }

  @Test func aSectionThatIsNewComesAndAReplacedOneIsWarnedOf() throws {
    let config = try load([
      Self.root: "include: [a.yaml]\nlitellm_settings: {drop_params: true, num_retries: 3}\n",
      "conf/a.yaml":
        "litellm_settings: {num_retries: 5}\nrouter_settings:\n  provider_budget_config:\n"
        + "    openai: {budget_limit: 3, time_period: 1d}\n",
    ])
    #expect(config.budgets.budgets.map(\.limit?.exactText) == ["3"])
    #expect(
      config.warnings.map(\.description) == [
        "conf/a.yaml:1: litellm_settings: this takes the place of the whole section at conf/c.yaml:2, as "
          + "in LiteLLM: litellm_settings.drop_params is lost"
      ])
  }

  @Test func aReplacedBudgetIsRefusedWithBothPlaces() {
    let budgets =
      "router_settings:\n  provider_budget_config:\n    openai: {budget_limit: 1, time_period: 1d}\n"
    #expect(
      refusal([
        Self.root: budgets + "include: [a.yaml]\n",
        "conf/a.yaml": "# more\nrouter_settings: {num_retries: 5}\n",
      ]) == [
        "conf/a.yaml:2: router_settings: this takes the place of the whole section at conf/c.yaml:2, as "
          + "in LiteLLM, and router_settings.provider_budget_config.openai would be lost: write the "
          + "section in one file"
      ])
    // Null replaces, too.
    #expect(
      refusal([Self.root: budgets + "include: [a.yaml]\n", "conf/a.yaml": "router_settings:\n"])
        .count == 1)
    #expect(
      refusal([
        Self.root: "router_settings: {redis_host: h, redis_port: 1}\ninclude: [a.yaml]\n",
        "conf/a.yaml": "router_settings: {num_retries: 5}\n",
      ]).first?.contains("router_settings.redis_host") == true)
    // A later value of the same budget wins.
    let config = try? load([
      Self.root: budgets + "include: [a.yaml]\n",
      "conf/a.yaml": budgets.replacing("limit: 1", with: "limit: 2"),
    ])
    #expect(config?.budgets.budgets.map(\.limit?.exactText) == ["2"])
  }

  @Test func problemsNameTheirFile() {
    #expect(
      refusal([
        Self.root: "include: [a.yaml]\n" + Self.models("root"),
        "conf/a.yaml": "model_list:\n- {model_name: a}\n",
      ]) == [
        "conf/a.yaml:2: model_list[1].litellm_params: this is missing: a deployment has to have it"
      ])
    #expect(
      refusal([Self.root: "include: [a.yaml]\n", "conf/a.yaml": "a: 1\nb: [1\n"]).first?
        .hasPrefix("conf/a.yaml:3:1: no valid YAML") == true)
    #expect(
      refusal([Self.root: "include: [a.yaml]\n", "conf/a.yaml": "a: b\tc\n"]).first?
        .hasPrefix("conf/a.yaml:1:5: no valid YAML: found a tab") == true)
    let same =
      "- {model_name: h, litellm_params: {model: openai/x, max_budget: 1, budget_duration: 1d}, "
      + "model_info: {id: i}}\n"
    #expect(
      refusal([
        Self.root: "include: [a.yaml]\nmodel_list:\n" + same,
        "conf/a.yaml": "model_list:\n" + same.replacing("max_budget: 1", with: "max_budget: 2"),
      ]).first?.contains("has another budget in conf/c.yaml:3") == true)
  }

  @Test func whatIsNotThereOrNoMappingIsRefused() {
    #expect(
      refusal([Self.root: "model_list: []\ninclude: [b/nowhere.yaml]\n"]) == [
        "conf/c.yaml:2: include: there is no file conf/b/nowhere.yaml: write it, or its path"
      ])
    #expect(
      refusal([Self.root: "include: [a.yaml]", "conf/a.yaml": "- 1\n"]) == [
        "conf/a.yaml:1: this included file is a list: it has to be a mapping"
      ])
    #expect(
      refusal([Self.root: "include: a.yaml\n"]) == [
        "conf/c.yaml:1: include: this is 'a.yaml': it has to be a list of files, as LiteLLM takes no other"
      ])
    #expect(
      refusal([Self.root: "include:\n- 5\n"]) == [
        "conf/c.yaml:2: include: this is the number 5: write the path of a file"
      ])
  }

  @Test func aFileIsReadOnceHoweverOftenItIsNamed() throws {
    let config = try load([
      Self.root: "include: [a.yaml, ./a.yaml, ../conf/a.yaml]\n" + Self.models("root"),
      "conf/a.yaml": "include: [c.yaml, a.yaml, /srv/conf/c.yaml]\n" + Self.models("a"),
    ])
    #expect(names(config) == ["root", "a"])
  }

  @Test func aFileBesideTheRootIsFoundAsInLiteLLM() throws {
    let files = [
      Self.root: "include: [sub/a.yaml]\n", "conf/sub/a.yaml": "include: [b.yaml]\n",
      "conf/b.yaml": Self.models("far"),
    ]
    let config = try load(files)
    #expect(names(config) == ["far"])
    #expect(
      config.warnings.map(\.description) == [
        "conf/sub/a.yaml:1: include: there is no conf/sub/b.yaml, so conf/b.yaml is read as LiteLLM "
          + "does: move it beside the file that names it"
      ])
    let both = try load(files.merging(["conf/sub/b.yaml": Self.models("near")]) { $1 })
    #expect(names(both) == ["near"])
    #expect(both.warnings.first?.message.contains("rename one of them") == true)
  }

  @Test func ownBudgetsOfSeveralFilesAreJoined() throws {
    let bytes = Array("include: [a.yaml]\nbudgetd: {time_zone: UTC, budgets: [1]}\n".utf8)
    let includes = ConfigIncludes(
      workingFolder: "/", exists: { _ in true },
      bytes: { _ throws(DocumentError) in Array("budgetd: {budgets: [2], other: 5}\n".utf8) })
    let outcome = try IncludeReader.read(bytes, file: "c.yaml", includes: includes)
    #expect(
      outcome.root["budgetd"]?.pythonText == "{'time_zone': 'UTC', 'budgets': [1, 2], 'other': 5}")
    #expect(outcome.log.isEmpty && outcome.warnings.isEmpty)
  }

  @Test func aTextWithoutAFolderLooksWhereItIsToldTo() throws {
    let files = [Self.root: "include: [b.yaml]\n", "b.yaml": Self.models("b")]
    #expect(names(try load(files, rootFolder: "")) == ["b"])
  }
}
