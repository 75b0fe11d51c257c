import BudgetModel
import Documents

// The model list: deployments, their ids, their providers, their budgets.

extension ConfigReader {
  /// How deep below the document's root an entry of the model list is, as LiteLLM counts.
  private static let entryDepth = 1

  /// Reads all entries; a bad one does not hide the others' problems.
  mutating func readModelList(_ node: DocumentNode) {
    guard let entries = node.sequence else {
      log.add(node, "model_list", "this is \(node.words): it has to be a list of deployments")
      return
    }
    modelListLine = node.line
    deployments.reserveCapacity(entries.count)
    var unresolved: Set<ExactText> = []
    for (index, entry) in entries.enumerated() {
      readDeployment(entry, index: index, unresolved: &unresolved)
    }
    countComputedIDs()
    countDropped()
  }

  private mutating func readDeployment(
    _ entry: DocumentNode, index: Int, unresolved: inout Set<ExactText>
  ) {
    let path = "model_list[\(index)]"
    guard let mapping = entry.mapping else {
      log.add(entry, path, "this is \(entry.words): a deployment has to be a mapping")
      return
    }
    var elsewhere: [String] = []
    var unset: [String] = []
    let found = log.count
    judgeRepetitions(of: Self.parts, in: mapping, at: path)
    let modelName = text(
      "model_name", of: part("model_name", of: mapping, unset: &elsewhere), in: entry, path: path)
    guard let parametersNode = part("litellm_params", of: mapping, unset: &unset),
      !parametersNode.isNull
    else {
      log.add(entry, "\(path).litellm_params", "this is missing: a deployment has to have it")
      return
    }
    guard let resolved = parametersNode.mapping else {
      log.add(
        parametersNode, "\(path).litellm_params",
        "this is \(parametersNode.words): it has to be a mapping")
      return
    }
    let parameters = parameters(resolved, unset: &unset)
    let parametersPath = "\(path).litellm_params"
    let written = mapping["litellm_params"] ?? parametersNode
    let model = text("model", of: parameters["model"], in: written, path: parametersPath)
    let customProvider = customProvider(parameters, path: parametersPath)
    refuseMisplacedBudget(parameters, path: path)
    warnOfMisplacedBudget(mapping, path: path)
    let terms = deploymentTerms(
      written: mapping["litellm_params"]?.mapping ?? parameters, path: parametersPath,
      line: parametersNode.line)
    let info = part("model_info", of: mapping, unset: &elsewhere)
    let given = givenID(info, path: path)
    guard log.count == found, let modelName, let model, let given else { return }
    guard let id = given.text ?? computedID(modelName, parameters, line: entry.line, path: path)
    else { return }
    let provider = directory.provider(
      ofModel: model, customProvider: customProvider,
      apiBase: parameters["api_base"]?.text)
    let deployment = ReadDeployment(
      names: ConfiguredDeployment(
        id: id, modelName: modelName, model: model, provider: provider,
        isFree: DeploymentPrices(parameters: parameters, info: info?.mapping).areZero),
      parameters: parameters, unset: unset, info: info, hasComputedID: given.text == nil,
      place: Place(node: entry, path: path, index: index))
    deployments.append(deployment.names)
    noteFacts(of: deployment)
    if provider == nil, unresolved.insert(ExactText(model)).inserted {
      let isDropped = deploymentFacts.last?.droppedBecause != nil
      warnings.add(
        parameters["model"] ?? entry, "\(parametersPath).model",
        "no rule names a provider for \(DocumentProblem.quoted(model)), so no provider's budget "
          + "counts it" + (isDropped ? " and LiteLLM's proxy drops it" : "")
          + ": set custom_llm_provider, or add it to the provider map")
    }
    guard let terms else { return }
    warnOfNothing(terms, entry, path: parametersPath)
    guard given.text != nil || isIDKnown(deployment, terms) else { return }
    add(terms, id: id, line: entry.line, path: path)
  }

  /// The parts of an entry.
  private static let parts: Set<String> = ["litellm_params", "model_info"]

  /// The place of an entry in the model list.
  struct Place {
    var node: DocumentNode
    var path: String
    var index: Int
  }

  /// An entry of the model list that was read.
  struct ReadDeployment {
    var names: ConfiguredDeployment
    var parameters: DocumentMapping
    /// The variables that its parameters name and that are not set.
    var unset: [String]
    var info: DocumentNode?
    var hasComputedID: Bool
    var place: Place

    /// Whether the file gives null for an id.
    var isIDNull: Bool { hasComputedID && info?["id"] != nil }
  }

  /// The value of `key` in an entry of the model list, with its references replaced.
  private func part(
    _ key: String, of mapping: DocumentMapping, unset: inout [String]
  ) -> DocumentNode? {
    guard let entry = mapping.entry(key) else { return nil }
    return environment.resolvedValue(of: entry, depth: Self.entryDepth, unset: &unset)
  }

  /// The parameters with references replaced as often as LiteLLM does it: once in the whole
  /// document, then among the parameters themselves.
  private func parameters(_ resolved: DocumentMapping, unset: inout [String]) -> DocumentMapping {
    var parameters = resolved
    for _ in 1..<EnvironmentReferences.passes {
      for (index, entry) in parameters.entries.enumerated() {
        guard let text = entry.value.text, !environment.keepsReference(entry.key),
          let value = environment.value(of: text, unset: &unset)
        else { continue }
        parameters.replaceValue(at: index, with: DocumentNode(value, line: entry.value.line))
      }
    }
    return parameters
  }

  /// Why a reference to the variable gives nothing.
  private func unset(_ name: String) -> String {
    let start = "the environment variable \(DocumentProblem.plain(name)) is not set"
    guard environment.fileVariables[name] != nil else {
      return "\(start), so this is missing: set it"
    }
    return "\(start) for the process, so this is missing: LiteLLM replaces references before it "
      + "sets the file's environment_variables; set it for the process, or write the value here"
  }

  /// A text that a deployment has to have: a name as requests may have it.
  private mutating func text(
    _ key: String, of value: DocumentNode?, in node: DocumentNode, path: String
  ) -> String? {
    guard let value, !value.isNull else {
      let name = node[key]?.text.flatMap(environment.unsetName)
      log.add(
        node[key] ?? node, "\(path).\(key)",
        name.map { unset($0) } ?? "this is missing: a deployment has to have it")
      return nil
    }
    guard let text = value.text else {
      log.add(value, "\(path).\(key)", "this is \(value.words), not a text: quote it")
      return nil
    }
    if let complaint = NameRule.complaint(text) {
      log.add(value, "\(path).\(key)", complaint)
      return nil
    }
    return text
  }

  /// The provider that a deployment names itself; nil where it names none, or a bad one.
  private mutating func customProvider(_ parameters: DocumentMapping, path: String) -> String? {
    let key = "custom_llm_provider"
    // LiteLLM takes an empty one for none.
    guard let node = parameters[key], !node.isNull, node.text != "" else { return nil }
    return text(key, of: node, in: node, path: path)
  }

  /// The budget of a deployment; nil where it has none, or a bad one.
  private mutating func deploymentTerms(
    written: DocumentMapping, path: String, line: Int
  ) -> BudgetTerms? {
    refuseRepetitions(of: ["max_budget", "budget_duration"], in: written, at: path)
    let limitNode = written["max_budget"].flatMap { $0.isNull ? nil : $0 }
    let windowNode = written["budget_duration"].flatMap { $0.isNull ? nil : $0 }
    guard limitNode != nil || windowNode != nil else { return nil }
    guard let limitNode, let windowNode else {
      let (has, lacks) =
        limitNode == nil
        ? ("budget_duration", "max_budget") : ("max_budget", "budget_duration")
      log.add(
        limitNode ?? windowNode ?? DocumentNode(.null, line: line), path,
        "this deployment has \(has) but no \(lacks) beside it, so LiteLLM would never enforce it: give "
          + "it both or none")
      return nil
    }
    let limit = fromEnvironment(limitNode, path: "\(path).max_budget")
    let window = fromEnvironment(windowNode, path: "\(path).budget_duration")
    var terms: BudgetTerms?
    var isLimitRefused = limit == nil
    var picoLimit: PicoUSD?
    if let limit {
      do throws(Refused) {
        picoLimit = try BudgetTerms.limit(limit, path: "\(path).max_budget", log: &log)
      } catch {
        isLimitRefused = true
      }
    }
    warnOfReleases(written, keys: ["max_budget", "budget_duration"], line: line, path: path)
    // The log says why where this gives nothing.
    if let window,
      let read = try? BudgetTerms.window(window, path: "\(path).budget_duration", log: &log),
      !isLimitRefused
    {
      terms = BudgetTerms(limit: picoLimit, windowText: read.text, windowLength: read.length)
    }
    return terms
  }

  /// Budgets where LiteLLM never looks: it has no budget there, and neither is one here.
  private mutating func warnOfMisplacedBudget(_ entry: DocumentMapping, path: String) {
    let keys = ["max_budget", "budget_duration"]
    for (place, mapping) in [("", entry), (".model_info", entry["model_info"]?.mapping)] {
      let written = (mapping?.entries ?? []).filter { entry in
        !entry.value.isNull && entry.key.text.map(keys.contains) ?? false
      }
      guard let first = written.first, let key = first.key.text else { continue }
      let lacks = keys.filter { key in !written.contains { $0.key.text == key } }
      warnings.add(
        first.key, "\(path)\(place).\(key)",
        "not enforced here, nor by LiteLLM, which looks for it under litellm_params only: move it "
          + "there" + (lacks.first.map { ", with a \($0) beside it" } ?? ""))
    }
  }

  /// Spellings that LiteLLM does not read for deployments.
  private mutating func refuseMisplacedBudget(_ parameters: DocumentMapping, path: String) {
    for written in parameters.entries {
      guard let key = written.key.text, let meant = meant(by: key) else { continue }
      log.add(
        written.key, "\(path).litellm_params.\(written.key.pathSegment)",
        "unknown spelling \(DocumentProblem.quoted(key)): did you mean \(meant)?")
    }
  }

  /// How many keys are remembered not to be misspelled; a file has some dozen.
  private static let maximumRemembered = 1_000

  /// The key of a deployment's budget that `key` was meant to be, or nil.
  private mutating func meant(by key: String) -> String? {
    switch key {
    case "max_budget", "budget_duration": return nil
    case "budget_limit": return "max_budget"
    case "time_period": return "budget_duration"
    default: break
    }
    if let known = misspelled[key] { return known }
    let meant = Spelling.nearest(to: key, among: ["max_budget", "budget_duration"])
    if misspelled.count < Self.maximumRemembered { misspelled[key] = .some(meant) }
    return meant
  }

  /// The value of `model_info.id`; its text is nil if LiteLLM computes the id.
  private struct GivenID {
    var text: String?
  }

  /// Nil: refused.
  private mutating func givenID(_ info: DocumentNode?, path: String) -> GivenID? {
    guard let info, !info.isNull else { return GivenID() }
    guard let mapping = info.mapping else {
      log.add(info, "\(path).model_info", "this is \(info.words): it has to be a mapping")
      return nil
    }
    guard let node = mapping["id"] else { return GivenID() }
    let place = "\(path).model_info.id"
    switch node.value {
    case .null: return GivenID()
    case .string(let text):
      guard let complaint = NameRule.complaint(text) else { return GivenID(text: text) }
      log.add(node, place, complaint)
      return nil
    case .integer(let digits):
      guard let complaint = NameRule.complaint(digits) else { return GivenID(text: digits) }
      log.add(node, place, complaint)
      return nil
    default:
      log.add(node, place, "the id is \(node.words), not a text: quote it")
      return nil
    }
  }

  private mutating func computedID(
    _ modelName: String, _ parameters: DocumentMapping, line: Int, path: String
  ) -> String? {
    guard let id = DeploymentIdentity.computed(modelName: modelName, parameters: parameters) else {
      log.add(
        line: line, "\(path).litellm_params",
        "LiteLLM can compute no id, since a date is a key here: set model_info.id, or quote it")
      return nil
    }
    return id
  }

  private mutating func add(_ terms: BudgetTerms, id: String, line: Int, path: String) {
    if let first = deploymentTerms[.string(id)] {
      guard first.terms != terms else { return }
      log.add(
        line: line, path,
        "the deployment \(DocumentProblem.quoted(id)) has another budget in "
          + "\(log.lines.words(first.line, from: line)): "
          + "give both the same, or different ids")
      return
    }
    deploymentTerms[.string(id)] = (terms, line)
    let definition = BudgetDefinition(
      key: BudgetKey(scope: .deployment, name: id, windowText: terms.windowText),
      windowLength: terms.windowLength, limit: terms.limit)
    deploymentBudgets.append(definition)
    own.compare(definition, line: line, log: &log)
  }
}
