import Documents

// The places in which LiteLLM looks for Redis, in its order. Learned from LiteLLM 1.106.2: a router
// without a Redis of its own takes the proxy's, which is the coordination block's, else the
// response cache's where that is a plain Redis, else the environment's.

extension ConfigReader {
  /// The parameters that LiteLLM's router would use; nil: no Redis.
  mutating func redisParameters(_ sections: DocumentMapping) -> RedisParameters? {
    let environment = environmentParameters()
    if let router = routerParameters(sections) { return joined(router, environment) }
    if let block = coordinationParameters(sections) { return joined(block, environment) }
    if let cache = cacheParameters(sections) { return joined(cache, environment) }
    return environment.namesTarget ? environment : nil
  }

  /// The environment fills in what a place leaves open, with one exception: a URL of its own would
  /// take the place of the host that the file names.
  private func joined(
    _ parameters: RedisParameters, _ environment: RedisParameters
  ) -> RedisParameters {
    var environment = environment
    if parameters["url"] == nil, parameters.namesTarget { environment.remove("url") }
    var parameters = parameters
    parameters.fill(from: environment)
    return parameters
  }

  /// `router_settings.redis_*`, with `cache_kwargs` over them.
  private mutating func routerParameters(_ sections: DocumentMapping) -> RedisParameters? {
    guard let settings = redisSection(sections, "router_settings"),
      let mapping = settings.mapping
    else { return nil }
    refuseRepetitions(
      of: ["redis_url", "redis_host", "redis_port", "redis_password", "redis_db", "cache_kwargs"],
      in: mapping, at: "router_settings")
    var parameters = RedisParameters(origin: "router_settings.redis_host", line: settings.line)
    for name in ["url", "host", "port", "password", "db"] {
      let key = "redis_\(name)"
      guard let node = mapping[key] else { continue }
      parameters.set(name, node, path: "router_settings.\(key)")
    }
    if let url = parameters["url"] {
      parameters.origin = url.path
      parameters.line = url.node.line
    } else {
      let host = parameters["host"]
      let port = parameters["port"]
      guard let present = host ?? port else { return nil }
      parameters.line = present.node.line
      guard host != nil, port != nil else {
        let lacking = host == nil ? "redis_host" : "redis_port"
        warnings.add(
          present.node, present.path,
          "LiteLLM's router ignores this without \(lacking), so it names no Redis: give both, or "
            + "neither")
        return nil
      }
    }
    if let more = mapping["cache_kwargs"], !more.isNull {
      if let entries = more.mapping {
        parameters.set(entries, path: "router_settings.cache_kwargs")
      } else {
        redisProblem(
          RedisParameters.Value(node: more, path: "router_settings.cache_kwargs"),
          "this is \(more.words): it has to be a mapping")
      }
    }
    return parameters
  }

  /// `general_settings.coordination_redis`.
  private mutating func coordinationParameters(_ sections: DocumentMapping) -> RedisParameters? {
    let path = "general_settings.coordination_redis"
    guard let settings = redisSection(sections, "general_settings")?.mapping,
      let node = settings["coordination_redis"], !node.isNull
    else { return nil }
    refuseRepetitions(of: ["coordination_redis"], in: settings, at: "general_settings")
    let place = RedisParameters.Value(node: node, path: path)
    guard let mapping = node.mapping else {
      redisProblem(place, "this is \(node.words): it has to be a mapping with a host or a url")
      return nil
    }
    var parameters = RedisParameters(origin: path, line: node.line)
    parameters.set(mapping, path: path)
    guard parameters.namesTarget else {
      redisProblem(place, "this names no Redis: give it a host and a port, or a url")
      return nil
    }
    return parameters
  }

  /// `litellm_settings.cache_params`, where the cache is on and a plain Redis.
  private mutating func cacheParameters(_ sections: DocumentMapping) -> RedisParameters? {
    guard let settings = redisSection(sections, "litellm_settings")?.mapping,
      let cache = settings["cache"], isOn(cache)
    else { return nil }
    refuseRepetitions(of: ["cache", "cache_params"], in: settings, at: "litellm_settings")
    var parameters = RedisParameters(origin: "litellm_settings.cache", line: cache.line)
    if let node = settings["cache_params"], !node.isNull {
      guard let mapping = node.mapping else {
        redisProblem(
          RedisParameters.Value(node: node, path: "litellm_settings.cache_params"),
          "this is \(node.words): it has to be a mapping")
        return nil
      }
      parameters.origin = "litellm_settings.cache_params"
      parameters.line = node.line
      parameters.set(mapping, path: "litellm_settings.cache_params")
      if let type = parameters["type"] {
        guard let text = fromEnvironment(type.node, path: type.path)?.text, text == "redis" else {
          return nil
        }
      }
      parameters.rename("redis_startup_nodes", to: "startup_nodes")
    }
    return parameters
  }

  private func isOn(_ node: DocumentNode) -> Bool {
    var unset: [String] = []
    guard let text = node.text, let value = environment.value(of: text, unset: &unset) else {
      return node.bool == true
    }
    return value == .bool(true)
  }

  /// The variables that LiteLLM hands to its client library, whatever the file says.
  private func environmentParameters() -> RedisParameters {
    let names =
      [
        "host", "port", "db", "username", "password", "ssl", "url", "gcp_service_account",
        "azure_redis_ad_token", "aws_iam_auth",
      ] + RedisEncryption.allNames
    var parameters = RedisParameters(origin: "the environment's REDIS_HOST", line: 1)
    for name in names {
      let variable = "REDIS_\(name.uppercased())"
      set(name, variable, in: &parameters)
    }
    for (variable, name) in [
      ("REDIS_CLUSTER_NODES", "startup_nodes"), ("REDIS_SENTINEL_NODES", "sentinel_nodes"),
      ("REDIS_SENTINEL_PASSWORD", "sentinel_password"), ("REDIS_SERVICE_NAME", "service_name"),
      ("REDIS_AZURE_AD_TOKEN", "azure_redis_ad_token"),
    ] {
      set(name, variable, in: &parameters)
    }
    let named = parameters["url"] != nil ? "REDIS_URL" : "REDIS_HOST"
    if let variable = environment.fileVariables[named] {
      parameters.origin = "environment_variables.\(named)"
      parameters.line = variable.line
    } else {
      parameters.origin = "the environment's \(named)"
    }
    return parameters
  }

  /// The file's variable, else the process's. Empty ones are how a container's settings say "none".
  private func set(_ name: String, _ variable: String, in parameters: inout RedisParameters) {
    guard let value = environment.variable(variable), !value.isEmpty else { return }
    let line = environment.fileVariables[variable]?.line
    parameters.set(
      name, DocumentNode(.string(value), line: line ?? 1),
      path: line == nil ? variable : "environment_variables.\(variable)")
  }

  /// A section that is a mapping; others are for those who read budgets to complain of.
  private func redisSection(_ sections: DocumentMapping, _ key: String) -> DocumentNode? {
    sections[key].flatMap { $0.mapping == nil ? nil : $0 }
  }
}
