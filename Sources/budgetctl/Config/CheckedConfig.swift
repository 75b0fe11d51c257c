import Foundation
import LiteLLMConfig

/// A config as the commands read it: the file, and the provider map beside it.
struct CheckedConfig {
  var config: LiteLLMConfig
  /// The loader that read it, which knows the provider map.
  var loader: LiteLLMConfigLoader
  /// By deployment, in order: whether its id was computed, since the file gives none.
  var computedIDs: [Bool]

  /// Reads both files. Throws all that is wrong with the first one that is refused.
  init(
    path: String, providerMapPath: String?, redis: RedisChoice = .off
  ) throws(ConfigError) {
    loader = try Self.loader(providerMapPath: providerMapPath, redis: redis)
    let bytes = try ConfigFile.bytes(path: path)
    config = try loader.load(yaml: bytes, file: path)
    let entries = try ConfigNode.parse(yaml: bytes, file: path)["model_list"]?.sequence ?? []
    computedIDs = entries.map { $0["model_info"]?["id"].map(\.isNull) ?? true }
  }

  /// A loader of the process's environment and the provider map, where there is one.
  static func loader(
    providerMapPath: String?, redis: RedisChoice = .off
  ) throws(ConfigError) -> LiteLLMConfigLoader {
    var map = ProviderMap.empty
    if let path = providerMapPath {
      map = try ProviderMap(yaml: ConfigFile.bytes(path: path), file: path)
    }
    return LiteLLMConfigLoader(
      environment: ProcessInfo.processInfo.environment, providerMap: map, redis: redis)
  }
}
