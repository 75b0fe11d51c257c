import Documents

// The Redis that budgets are shared through: judged only where it would be used.

extension ConfigReader {
  /// The end of every refusal of a Redis setting.
  static let wayOut = "or start with --redis off"

  /// The Redis to be used; nil: none, or the log says why not.
  mutating func redisSource(_ sections: DocumentMapping) -> RedisSource? {
    switch redis {
    case .off: return nil
    case .configured(let password, let sentinelPassword):
      guard let parameters = redisParameters(sections),
        var source = source(parameters, password: password)
      else { return nil }
      source.sentinelPassword = sentinelPassword ?? source.sentinelPassword
      return source
    case .given(var source):
      // Of the configuration's own Redis nothing counts but the namespace, so nothing else is
      // complained of.
      let before = (log, warnings)
      let parameters = redisParameters(sections)
      (log, warnings) = before
      source.namespace = parameters.flatMap { namespace($0) }
      return source
    }
  }

  /// Adds a problem of a Redis setting, with the way out that always is there.
  mutating func redisProblem(_ value: RedisParameters.Value, _ message: String) {
    log.add(value.node, value.path, "\(message), \(Self.wayOut)")
  }

  private mutating func source(
    _ parameters: RedisParameters, password: RedisSecret?
  ) -> RedisSource? {
    let found = log.count
    refuseOtherKinds(parameters)
    let namespace = namespace(parameters)
    let username = text("username", of: parameters)
    let source = kind(parameters, username: username)
    guard log.count == found, var source else { return nil }
    source.namespace = namespace
    if let password { source.password = password }
    return source
  }

  /// The source of the kind that LiteLLM takes first.
  private mutating func kind(_ parameters: RedisParameters, username: String?) -> RedisSource? {
    if let nodes = parameters["startup_nodes"] {
      return fromCluster(nodes, parameters, username: username)
    }
    if let url = parameters["url"] {
      return fromURL(url, username: username, origin: parameters.origin)
    }
    if let nodes = parameters["sentinel_nodes"] {
      return fromSentinels(nodes, parameters, username: username)
    }
    return fromHost(parameters, username: username)
  }

  /// Ways to log in, and to encrypt, that are not spoken here.
  private mutating func refuseOtherKinds(_ parameters: RedisParameters) {
    for name in ["gcp_service_account", "azure_redis_ad_token", "aws_iam_auth"] {
      guard let value = parameters[name], name == "gcp_service_account" || isTrue(value) else {
        continue
      }
      redisProblem(
        value, "log-in by a cloud's own identities is not spoken here: use a user and a password")
    }
    // A URL says by itself whether it is TLS; LiteLLM then ignores the setting, unless nodes of a
    // cluster come before it.
    if let ssl = parameters["ssl"], parameters["url"] == nil || parameters["startup_nodes"] != nil,
      isTrue(ssl)
    {
      refuseTLS(ssl)
    }
  }

  private mutating func refuseTLS(_ value: RedisParameters.Value) {
    redisProblem(
      value,
      "TLS is not spoken here: run a tunnel such as stunnel on loopback and give "
        + "--redis redis://127.0.0.1:port")
  }

  private mutating func fromURL(
    _ value: RedisParameters.Value, username: String?, origin: String
  ) -> RedisSource? {
    guard let node = fromEnvironment(value) else { return nil }
    guard let text = node.text, !text.isEmpty else {
      let words = node.text == nil ? node.words : "empty"
      redisProblem(value, "the url is \(words): write redis://host:port")
      return nil
    }
    do throws(RedisURL.Refusal) {
      let url = try RedisURL(text)
      return RedisSource(
        endpoint: url.endpoint, username: url.username ?? username, password: url.password,
        database: url.database ?? 0, origin: origin)
    } catch {
      switch error {
      case .encrypted: refuseTLS(value)
      case .scheme:
        redisProblem(
          value, "the url does not begin with redis:// or unix://: write redis://host:port")
      case .malformed(let reason):
        redisProblem(value, "of the url \(reason): write redis://user:password@host:port/database")
      }
      return nil
    }
  }

  private mutating func fromHost(
    _ parameters: RedisParameters, username: String?
  ) -> RedisSource? {
    guard let place = parameters["host"] else {
      log.add(
        line: parameters.line, parameters.origin,
        "this names no Redis, and neither does the environment: give a host and a port, or a url, "
          + Self.wayOut)
      return nil
    }
    let host = text("host", of: parameters)
    let port = number("port", of: parameters, 1...65_535).map { UInt16($0) }
    let database = number("db", of: parameters, 0...Int(Int32.max))
    let password = text("password", of: parameters).map(RedisSecret.init)
    guard let host else {
      redisProblem(place, "the host is empty: write a name or an address")
      return nil
    }
    guard host.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else {
      redisProblem(place, "the host has a blank or a control character: leave it out")
      return nil
    }
    guard !host.contains("://") else {
      redisProblem(place, "the host is a URL: write its name alone, or the URL as url")
      return nil
    }
    return RedisSource(
      endpoint: .tcp(host: host, port: port ?? RedisURL.defaultPort), username: username,
      password: password, database: database ?? 0, origin: parameters.origin)
  }
}
