import BudgetModel
import Foundation
import LiteLLMConfig
import Logging

/// Where the configuration is read from, at the start and at each reload.
struct ConfigSource {
  /// A configuration that was read and accepted.
  struct Loaded {
    let path: String
    let accepted: LiteLLMConfig

    /// One line that says what is in force, and one for each warning.
    func log(to log: Logger, as verb: String) {
      log.info("\(verb) \(path): \(LogText.summary(of: accepted.budgets))")
      for warning in accepted.warnings { log.warning("\(warning)") }
    }
  }

  private let path: String
  private let mapPath: String?

  init(_ options: ServerOptions) {
    path = options.configPath
    mapPath = options.providerMapPath
  }

  /// Reads both files. Throws all problems of both.
  func load() throws(ServerError) -> Loaded {
    do throws(ConfigError) {
      var map = ProviderMap.empty
      if let mapPath { map = try ProviderMap(yaml: ConfigFile.bytes(path: mapPath), file: mapPath) }
      let loader = LiteLLMConfigLoader(
        environment: ProcessInfo.processInfo.environment, providerMap: map)
      return Loaded(
        path: path,
        accepted: try loader.load(yaml: ConfigFile.bytes(path: path), file: path))
    } catch {
      throw .config(error)
    }
  }
}
