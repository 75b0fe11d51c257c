import Documents
import Foundation
import LiteLLMConfig

/// A config as the commands read it: the file, and the provider map beside it.
struct CheckedConfig {
  var config: LiteLLMConfig
  /// The loader that read it, which knows the provider map.
  var loader: LiteLLMConfigLoader

  /// Reads both files. Throws all that is wrong with the first one that is refused.
  init(
    path: String, providerMapPath: String?, redis: RedisChoice = .off
  ) throws(DocumentError) {
    loader = try Self.loader(providerMapPath: providerMapPath, redis: redis)
    let bytes = try ConfigFile.bytesOnce(path: path)
    config = try loader.load(
      yaml: bytes, file: path == "-" ? "standard input" : path,
      includes: ConfigFile.includes(of: path))
  }

  /// A loader of the process's environment and the provider map, where there is one.
  static func loader(
    providerMapPath: String?, redis: RedisChoice = .off
  ) throws(DocumentError) -> LiteLLMConfigLoader {
    var map = ProviderMap.empty
    if let path = providerMapPath {
      map = try ProviderMap(yaml: ConfigFile.bytesOnce(path: path), file: path)
    }
    return LiteLLMConfigLoader(
      environment: ProcessInfo.processInfo.environment, providerMap: map, redis: redis)
  }
}
