import LiteLLMConfig
import RedisStore

extension RedisSettings {
  /// The settings of a link to the Redis that the configuration or the command line names.
  init(_ source: RedisSource) {
    switch source.endpoint {
    case .tcp(let host, let port): self.init(address: .tcp(host: host, port: port))
    case .unix(let path): self.init(address: .unix(path: path))
    }
    username = source.username
    password = source.password.map { RedisPassword($0.revealed) }
    database = source.database
    namespace = source.namespace
  }
}
