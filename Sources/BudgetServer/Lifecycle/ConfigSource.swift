import BudgetModel
import Documents
import Foundation
import LiteLLMConfig
import Logging
import Webhooks

/// The source of the configuration, at the start and at each reload.
struct ConfigSource {
  /// A configuration that was read and accepted.
  struct Loaded {
    let path: String
    let accepted: LiteLLMConfig
    /// The receiver of alerts; nil: there are no alerts.
    let webhook: WebhookTarget?

    /// One line that says what is in force, and one for each warning.
    func log(to log: Logger, as verb: String) {
      let included = accepted.includedFiles
      let files =
        included.isEmpty
        ? path : "\(path) and \(LogText.counted(included.count, "included file"))"
      log.info("\(verb) \(files): \(LogText.summary(of: accepted))")
      for warning in accepted.warnings { log.warning("\(warning)") }
    }
  }

  private let path: String
  private let mapPath: String?
  private let redis: RedisChoice
  private let sharingComplaint: @Sendable (BudgetDefinition, RedisSource) -> String?

  init(_ options: ServerOptions) {
    path = options.configPath
    mapPath = options.providerMapPath
    redis = options.redis
    sharingComplaint = options.sharingComplaint
  }

  /// Reads both files. Throws all problems of both.
  func load() throws(ServerError) -> Loaded {
    do throws(DocumentError) {
      var map = ProviderMap.empty
      if let mapPath { map = try ProviderMap(yaml: ConfigFile.bytes(path: mapPath), file: mapPath) }
      let loader = LiteLLMConfigLoader(
        environment: ProcessInfo.processInfo.environment, providerMap: map, redis: redis)
      let accepted = try loader.load(
        yaml: ConfigFile.bytes(path: path), file: path, includes: ConfigFile.includes(of: path))
      try checkNames(accepted)
      return Loaded(path: path, accepted: accepted, webhook: try webhook(accepted.alerts))
    } catch {
      throw .config(error)
    }
  }

  /// Refuses a receiver whose address cannot be read, or that nothing here can reach.
  private func webhook(_ alerts: AlertSettings?) throws(DocumentError) -> WebhookTarget? {
    do throws(WebhookError) {
      return try alerts.map { settings throws(WebhookError) in
        try WebhookTarget(settings.webhook)
      }
    } catch {
      throw DocumentError(problems: [
        DocumentProblem(file: path, line: 1, keyPath: "budgetd.alerts", message: "\(error)")
      ])
    }
  }

  /// Refuses names of which no key beside LiteLLM's can be made.
  private func checkNames(_ config: LiteLLMConfig) throws(DocumentError) {
    guard let source = config.redis else { return }
    let problems = config.budgets.budgets.compactMap { budget in
      sharingComplaint(budget, source).map { complaint in
        DocumentProblem(
          file: path, line: 1, keyPath: "",
          message: "\(complaint): rename it, or start with --redis off")
      }
    }
    if !problems.isEmpty { throw DocumentError(problems: problems) }
  }
}
