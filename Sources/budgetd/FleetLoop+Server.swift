import BudgetFleet
import BudgetServer
import LiteLLMConfig
import Logging
import RedisStore

extension FleetLoop {
  /// Keeps `server` in step with its fleet. Nil: the server has no Redis.
  convenience init?(_ server: BudgetServer, interval: Duration, log: Logger) {
    guard let source = server.redis, let member = server.member else { return nil }
    log.info("budgets are shared through Redis at \(source), from \(source.origin)")
    self.init(RedisSettings(source), interval: interval, member: member, log: log)
  }
}

extension RedisSettings {
  /// The settings of a link to the Redis that the configuration or the command line names.
  init(_ source: RedisSource) {
    switch source.endpoint {
    case .tcp(let host, let port): self.init(address: .tcp(host: host, port: port))
    case .unix(let path): self.init(address: .unix(path: path))
    case .cluster(let hosts):
      let nodes = hosts.map { RedisAddress.tcp(host: $0.name, port: $0.port) }
      self.init(address: nodes[0])
      topology = .cluster(nodes)
    case .sentinel(let hosts, let service):
      let nodes = hosts.map { RedisAddress.tcp(host: $0.name, port: $0.port) }
      self.init(address: nodes[0])
      topology = .sentinel(
        RedisSentinels(
          nodes, service: service, username: source.sentinelUsername,
          password: source.sentinelPassword.map { RedisPassword($0.revealed) }))
    }
    username = source.username
    password = source.password.map { RedisPassword($0.revealed) }
    database = source.database
    namespace = source.namespace
  }
}
