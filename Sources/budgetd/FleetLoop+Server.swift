import BudgetFleet
import BudgetServer
import LiteLLMConfig
import Logging
import RedisStore
import TLS

extension FleetLoop {
  /// Keeps `server` in step with its fleet. Nil: the server has no Redis.
  /// Throws where files of its encryption cannot be used.
  convenience init?(
    _ server: BudgetServer, interval: Duration, log: Logger
  ) throws(ServerError) {
    guard let source = server.redis, let member = server.member else { return nil }
    log.info("budgets are shared through Redis at \(source), from \(source.origin)")
    if source.tls?.verification == RedisEncryption.Verification.none {
      log.warning(
        """
        Redis' certificates are not verified: whoever stands between it and this node reads and changes \
        all, its password too; name the authority's file (--redis-ca or ssl_ca_certs)
        """)
    }
    let settings = RedisSettings(source)
    do throws(TLSFailure) {
      _ = try settings.encryption?.context()
    } catch {
      throw .usage("the certificates for Redis, from \(source.origin): \(error)")
    }
    self.init(settings, interval: interval, member: member, log: log)
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
    encryption = source.tls.map { tls in
      var client = TLSContext.Client()
      client.ca = tls.authorities
      client.caFolder = tls.authorityFolder
      client.verification =
        switch tls.verification {
        case .full: .full
        case .chain: .chain
        case .none: .none
        }
      client.certificate = tls.certificate
      client.key = tls.certificate.map { tls.key ?? $0 }
      return RedisTLS(client, serverName: tls.serverName)
    }
    username = source.username
    password = source.password.map { RedisPassword($0.revealed) }
    database = source.database
    namespace = source.namespace
  }
}
