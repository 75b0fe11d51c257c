import BudgetModel
import Documents

// Deployments that LiteLLM's proxy goes on without (`ignore_invalid_deployments`): learned from
// 1.106.2. Callers of other kinds may have them all the same, so they stay, and are listed as such.

extension ConfigReader {
  /// Parameters that LiteLLM takes as texts only.
  private static let texts: Set<String> = [
    "api_key", "api_base", "api_version", "azure_ad_token", "tenant_id", "client_id",
    "client_secret", "azure_scope", "azure_username", "azure_password", "vertex_project",
    "vertex_location", "region_name", "gcs_bucket_name", "bucket_name", "aws_access_key_id",
    "aws_secret_access_key", "aws_session_token", "aws_region_name", "aws_session_name",
    "aws_profile_name", "aws_role_name", "aws_web_identity_token", "aws_sts_endpoint",
    "aws_external_id", "aws_bedrock_runtime_endpoint", "organization", "litellm_credential_name",
  ]
  /// Parameters that it takes as whole numbers only.
  private static let numbers: Set<String> = ["tpm", "rpm", "itpm", "otpm", "max_retries"]

  /// LiteLLM takes these for models from a prompt's management, with any name behind the prefix.
  private static let promptPrefixes: Set<String> = [
    "langfuse", "langfuse_otel", "humanloop", "dotprompt", "bitbucket", "gitlab", "arize",
    "arize_phoenix", "litellm_agent", "generic_api", "braintrust", "mlflow", "opik",
  ]

  /// The environments that LiteLLM knows.
  private static let environments = ["development", "staging", "production"]

  /// Notes what goes with a deployment beside its names.
  mutating func noteFacts(of deployment: ReadDeployment) {
    let parameters = deployment.parameters
    let place = deployment.place
    let reason =
      badParameter(parameters) ?? inactive(deployment.info)
      ?? providerComplaint(deployment.names, parameters["custom_llm_provider"]?.text)
    deploymentFacts.append(
      DeploymentFacts(
        hasComputedID: deployment.hasComputedID, droppedBecause: reason?.words, index: place.index))
    guard let reason, reason.isWarnedOf else { return }
    droppedDeployments += 1
    guard droppedDeployments <= Self.maximumDropped else { return }
    warnings.add(
      place.node, "\(place.path)\(reason.place)",
      "LiteLLM's proxy drops this deployment and goes on without it: \(reason.words)")
  }

  /// How many dropped deployments are named one by one.
  private static let maximumDropped = 20

  /// Why LiteLLM drops a deployment.
  private struct DropReason {
    var place: String
    var words: String
    /// Whether no other warning says so already.
    var isWarnedOf = true
  }

  private func badParameter(_ parameters: DocumentMapping) -> DropReason? {
    for entry in parameters.entries {
      guard let key = entry.key.text, !entry.value.isNull else { continue }
      if Self.texts.contains(key), entry.value.text == nil {
        return DropReason(
          place: ".litellm_params.\(key)",
          words: "\(key) is \(Self.kind(entry.value)), not a text: quote it")
      }
      if Self.numbers.contains(key), !Self.isWhole(entry.value) {
        return DropReason(
          place: ".litellm_params.\(key)", words: "\(key) is not a whole number: write digits")
      }
    }
    return nil
  }

  /// Never the value: these hold keys and passwords.
  private static func kind(_ node: DocumentNode) -> String {
    switch node.value {
    case .timestamp: "a date"
    case .bool: "a truth value"
    case .integer, .float: "a number"
    case .sequence: "a list"
    default: "a mapping"
    }
  }

  private static func isWhole(_ node: DocumentNode) -> Bool {
    switch node.value {
    case .integer, .bool: true
    case .float(let number): number == number.rounded() && number.isFinite
    case .string(let text): PythonNumber.float(text).map { $0 == $0.rounded() } ?? false
    default: false
    }
  }

  private func inactive(_ info: DocumentNode?) -> DropReason? {
    guard let node = info?["supported_environments"], !node.isNull else { return nil }
    let place = ".model_info.supported_environments"
    let known = Self.environments.joined(separator: ", ")
    guard let names = node.sequence?.map({ $0.text ?? $0.pythonText }) else {
      return DropReason(place: place, words: "supported_environments is not a list of \(known)")
    }
    if let name = names.first(where: { !Self.environments.contains($0) }) {
      return DropReason(
        place: place,
        words: "supported_environments has \(DocumentProblem.quoted(name)): it takes \(known)")
    }
    guard let here = environment.variable("LITELLM_ENVIRONMENT"), !here.isEmpty else {
      return DropReason(
        place: place,
        words:
          "it has supported_environments, and LITELLM_ENVIRONMENT is not set: set it to one of "
          + known)
    }
    guard names.contains(here) else {
      return DropReason(
        place: place,
        words: "LITELLM_ENVIRONMENT is \(DocumentProblem.quoted(here)), which is not in its "
          + "supported_environments")
    }
    return nil
  }

  private func providerComplaint(
    _ deployment: ConfiguredDeployment, _ custom: String?
  ) -> DropReason? {
    let prefix = deployment.model.prefix { $0 != "/" }
    guard !deployment.model.hasPrefix("auto_router/"),
      deployment.model.utf8.count == prefix.utf8.count
        || !Self.promptPrefixes.contains(String(prefix))
    else { return nil }
    if let provider = deployment.provider {
      guard custom == provider, !directory.knows(provider: provider) else { return nil }
      return DropReason(
        place: ".litellm_params.custom_llm_provider",
        words: "LiteLLM knows no provider \(DocumentProblem.quoted(provider)), and "
          + "litellm_settings.custom_provider_map does not name it")
    }
    return DropReason(
      place: ".litellm_params.model", words: "LiteLLM knows no provider of its model",
      isWarnedOf: false)
  }

  /// Counts what was not named one by one.
  mutating func countDropped() {
    guard droppedDeployments > Self.maximumDropped else { return }
    warnings.add(
      line: modelListLine, "model_list",
      "LiteLLM's proxy drops \(droppedDeployments - Self.maximumDropped) more deployments: "
        + "budgetctl check-config lists them")
  }
}
