import Documents

// The kinds of Redis that have several servers: a cluster's nodes, and sentinels that name a master.

extension ConfigReader {
  /// Any that is not a URL.
  mutating func fromServers(_ parameters: RedisParameters, username: String?) -> RedisSource? {
    if let nodes = parameters["startup_nodes"] {
      return fromCluster(nodes, parameters, username: username)
    }
    guard let nodes = parameters["sentinel_nodes"] else {
      return fromHost(parameters, username: username)
    }
    return fromSentinels(nodes, parameters, username: username)
  }

  /// `startup_nodes` of a cluster.
  private mutating func fromCluster(
    _ value: RedisParameters.Value, _ parameters: RedisParameters, username: String?
  ) -> RedisSource? {
    guard let hosts = servers(value, .mappings) else { return nil }
    if let database = parameters["db"], number("db", of: parameters, 0...Int(Int32.max)) != 0 {
      redisProblem(database, "a cluster has the database 0 alone: take this out")
    }
    return RedisSource(
      endpoint: .cluster(hosts), username: username,
      password: text("password", of: parameters).map(RedisSecret.init), origin: value.path)
  }

  /// `sentinel_nodes` with `service_name`.
  private mutating func fromSentinels(
    _ value: RedisParameters.Value, _ parameters: RedisParameters, username: String?
  ) -> RedisSource? {
    guard let hosts = servers(value, .pairs) else { return nil }
    guard let service = text("service_name", of: parameters) else {
      redisProblem(
        value,
        "sentinels without service_name name no master: give the name of their 'sentinel monitor'")
      return nil
    }
    var source = RedisSource(
      endpoint: .sentinel(hosts, service: service), username: username,
      password: text("password", of: parameters).map(RedisSecret.init),
      database: number("db", of: parameters, 0...Int(Int32.max)) ?? 0, origin: value.path)
    source.sentinelPassword = text("sentinel_password", of: parameters).map(RedisSecret.init)
    // As in LiteLLM they get the user of the master, where they ask for a password.
    source.sentinelUsername = source.sentinelPassword == nil ? nil : username
    return source
  }

  private mutating func servers(
    _ value: RedisParameters.Value, _ form: RedisServerList.Form
  ) -> [RedisSource.Host]? {
    guard let node = fromEnvironment(value) else { return nil }
    do throws(RedisServerList.Complaint) {
      return try RedisServerList(node, form).hosts
    } catch {
      redisProblem(value, error.message)
      return nil
    }
  }
}
