import Documents

// The Redis that budgets are shared through: judged only where it would be used.

extension ConfigReader {
  /// The end of every refusal of a Redis setting.
  static let wayOut = "or start with --redis off"

  /// The Redis to be used; nil: none, or the log says why not.
  mutating func redisSource(_ sections: DocumentMapping) -> RedisSource? {
    switch redis {
    case .off: return nil
    case .configured(let password, let sentinelPassword, let tls):
      guard let parameters = redisParameters(sections), var source = source(parameters) else {
        return nil
      }
      source.password = password ?? source.password
      source.sentinelPassword = sentinelPassword ?? source.sentinelPassword
      source.tls = source.tls.map { tls.applied(to: $0) }
      if let words = tls.complaint(about: source) {
        log.add(line: parameters.line, source.origin, "\(words), \(Self.wayOut)")
      }
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

  private mutating func source(_ parameters: RedisParameters) -> RedisSource? {
    let found = log.count
    refuseOtherKinds(parameters)
    let namespace = namespace(parameters)
    let username = text("username", of: parameters)
    let source = kind(parameters, username: username)
    guard log.count == found, var source else { return nil }
    source.namespace = namespace
    return source
  }

  /// The source of the kind that LiteLLM takes first.
  private mutating func kind(_ parameters: RedisParameters, username: String?) -> RedisSource? {
    // A URL says by itself whether it is encrypted: LiteLLM then ignores the settings.
    if parameters["startup_nodes"] == nil, let url = parameters["url"] {
      return fromURL(url, username: username, origin: parameters.origin)
    }
    var source = fromServers(parameters, username: username)
    if let ssl = parameters["ssl"], isTrue(ssl) {
      let settings = values(RedisEncryption.allNames, of: parameters)
      source?.tls = encryption(settings) { parameters[$0] ?? ssl }
    }
    return source
  }

  private mutating func encryption(
    _ settings: [String: DocumentNode], _ place: (String) -> RedisParameters.Value
  ) -> RedisEncryption? {
    do throws(RedisEncryption.Complaint) {
      return try RedisEncryption(settings)
    } catch {
      redisProblem(place(error.name), error.message)
      return nil
    }
  }

  /// Ways to log in that are not spoken here.
  private mutating func refuseOtherKinds(_ parameters: RedisParameters) {
    for name in ["gcp_service_account", "azure_redis_ad_token", "aws_iam_auth"] {
      guard let value = parameters[name], name == "gcp_service_account" || isTrue(value) else {
        continue
      }
      redisProblem(
        value, "log-in by a cloud's own identities is not spoken here: use a user and a password")
    }
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
      var source = url.source(username: username, origin: origin)
      if url.isEncrypted { source.tls = encryption(url.encryption) { _ in value } }
      return source
    } catch {
      redisProblem(value, error.words)
      return nil
    }
  }

  mutating func fromHost(_ parameters: RedisParameters, username: String?) -> RedisSource? {
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
    if let complaint = RedisServerList.complaint(host: host ?? "") {
      redisProblem(place, complaint)
      return nil
    }
    return RedisSource(
      endpoint: .tcp(host: host ?? "", port: port ?? RedisURL.defaultPort), username: username,
      password: password, database: database ?? 0, origin: parameters.origin)
  }
}
