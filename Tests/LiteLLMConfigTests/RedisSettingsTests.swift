import Documents
import Testing

@testable import LiteLLMConfig

/// A configuration, an environment, and the Redis that follows.
struct RedisCase: CustomTestStringConvertible, Sendable {
  var yaml: String
  var environment: [String: String] = [:]
  var choice = RedisChoice.configured(password: nil)
  /// The source in words with its password; nil: none.
  var expected: String?
  var testDescription: String { "\(expected ?? "none"): \(yaml.prefix(60))" }
}

/// A configuration that is refused for its Redis, and what is said about it.
struct RedisRefusalCase: CustomTestStringConvertible, Sendable {
  var yaml: String
  var environment: [String: String] = [:]
  /// The place, and parts of the text.
  var place: String
  var words: [String]
  var testDescription: String { place }
}

@Suite struct RedisSettingsTests {
  private static let router = """
    router_settings:
      redis_host: os.environ/REDIS_HOST
      redis_port: os.environ/REDIS_PORT
      redis_password: os.environ/REDIS_PASSWORD

    """
  private static let cache = """
    litellm_settings:
      cache: true
      cache_params: {type: redis, host: cachehost, port: 1111, password: cp, namespace: cns}

    """
  private static let coordination = """
    general_settings:
      coordination_redis: {host: coord, port: "2222", username: cu, password: cw}

    """

  static let cases: [RedisCase] = [
    RedisCase(yaml: "model_list: []", expected: nil),
    RedisCase(
      yaml: router,
      environment: ["REDIS_HOST": "h", "REDIS_PORT": "6380", "REDIS_PASSWORD": "p"],
      expected: "h:6380, with a password | p | router_settings.redis_host"),
    RedisCase(
      yaml: router + coordination + cache,
      environment: ["REDIS_HOST": "h", "REDIS_PORT": "6380", "REDIS_PASSWORD": ""],
      expected: "h:6380 | - | router_settings.redis_host"),
    RedisCase(
      yaml: coordination + cache,
      expected: "coord:2222, user cu, with a password | cw | general_settings.coordination_redis"),
    RedisCase(
      yaml: cache,
      expected:
        "cachehost:1111, with a password, namespace cns | cp | litellm_settings.cache_params"),
    // A cache that is off, or is not a plain Redis, does not count; then the environment does.
    RedisCase(
      yaml: cache.replacing("cache: true", with: "cache: false"), environment: ["REDIS_HOST": "e"],
      expected: "e:6379 | - | the environment's REDIS_HOST"),
    RedisCase(
      yaml: cache.replacing("type: redis", with: "type: redis-semantic"), expected: nil),
    RedisCase(
      yaml: "litellm_settings: {cache: os.environ/ON}",
      environment: [
        "ON": "True", "REDIS_HOST": "e", "REDIS_PORT": "7", "REDIS_URL": "redis://u:9",
      ],
      expected: "u:9 | - | litellm_settings.cache"),
    // The environment alone: a URL wins over a host.
    RedisCase(
      yaml: "model_list: []",
      environment: ["REDIS_HOST": "e", "REDIS_PORT": "7", "REDIS_URL": "redis://u:9/3"],
      expected: "u:9, database 3 | - | the environment's REDIS_URL"),
    // A host in the file wins over the environment's URL; its gaps are filled.
    RedisCase(
      yaml: "router_settings: {redis_host: h, redis_port: 1}",
      environment: [
        "REDIS_URL": "rediss://u:9/3", "REDIS_PASSWORD": "ep", "REDIS_USERNAME": "eu",
        "REDIS_DB": "4",
      ],
      expected: "h:1, database 4, user eu, with a password | ep | router_settings.redis_host"),
    // A URL takes the place of host, port, database and password, not of the user.
    RedisCase(
      yaml: "router_settings: {redis_url: 'redis://u:9', redis_host: h, redis_port: 1}",
      environment: ["REDIS_PASSWORD": "ep", "REDIS_USERNAME": "eu", "REDIS_DB": "4"],
      expected: "u:9, user eu | - | router_settings.redis_url"),
    RedisCase(
      yaml: "router_settings: {redis_url: 'redis://us%40er:p%3Aw@[::1]:9/3?db=5'}",
      expected: "[::1]:9, database 5, user us@er, with a password | p:w | router_settings.redis_url"
    ),
    RedisCase(
      yaml: "router_settings: {redis_url: 'redis://:pw@h'}",
      expected: "h:6379, with a password | pw | router_settings.redis_url"),
    RedisCase(
      yaml: "router_settings: {redis_url: 'unix:///run/r.sock?db=2'}",
      expected: "unix:/run/r.sock, database 2 | - | router_settings.redis_url"),
    RedisCase(
      yaml: """
        router_settings:
          redis_host: h
          redis_port: 1
          cache_kwargs: {namespace: ns, username: u, db: 2, port: 5, ssl: false}
        """,
      expected: "h:5, database 2, user u, namespace ns | - | router_settings.redis_host"),
    RedisCase(
      yaml: "router_settings: {redis_host: h, redis_port: 1, redis_db: 3}",
      expected: "h:1, database 3 | - | router_settings.redis_host"),
    // A cache_kwargs without a target of the router's is not looked at.
    RedisCase(
      yaml: "router_settings: {cache_kwargs: {namespace: ns}}", environment: ["REDIS_HOST": "e"],
      expected: "e:6379 | - | the environment's REDIS_HOST"),
    // Nothing is as good as absent.
    RedisCase(
      yaml: "model_list: []",
      environment: ["REDIS_HOST": "", "REDIS_URL": "", "REDIS_CLUSTER_NODES": ""], expected: nil),
    RedisCase(
      yaml: cache.replacing("{type", with: "{redis_startup_nodes: [], ssl: null, type"),
      expected:
        "cachehost:1111, with a password, namespace cns | cp | litellm_settings.cache_params"),
    // A cluster comes before a URL, a URL before sentinels, sentinels before a host.
    RedisCase(
      yaml: """
        general_settings:
          coordination_redis:
            startup_nodes: [{host: a, port: 1}, {host: b, port: "2"}]
            url: redis://u:9
            host: h
            password: p
            username: u
        """,
      expected: "cluster a:1,b:2, user u, with a password | p | "
        + "general_settings.coordination_redis.startup_nodes"),
    RedisCase(
      yaml: cache.replacing("host: cachehost", with: "redis_startup_nodes: [{host: a, port: 1}]"),
      expected: "cluster a:1, with a password, namespace cns | cp | "
        + "litellm_settings.cache_params.redis_startup_nodes"),
    // The environment's nodes come before a host that the file names.
    RedisCase(
      yaml: "router_settings: {redis_host: h, redis_port: 1}",
      environment: [
        "REDIS_CLUSTER_NODES": #"[{"host": "e", "port": 7000}]"#, "REDIS_PASSWORD": "ep",
      ],
      expected: "cluster e:7000, with a password | ep | REDIS_CLUSTER_NODES"),
    RedisCase(
      yaml: """
        litellm_settings:
          cache: true
          cache_params:
            type: redis
            service_name: main
            sentinel_nodes: [[a, 1], [b, "2"]]
            sentinel_password: sp
            password: p
            db: 3
            host: h
        """,
      expected: "main by sentinels a:1,b:2, database 3, with a password, sentinels with a password"
        + " | p | litellm_settings.cache_params.sentinel_nodes"),
    RedisCase(
      yaml: "model_list: []",
      environment: [
        "REDIS_SENTINEL_NODES": #"[["s", 26379]]"#, "REDIS_SERVICE_NAME": "m",
        "REDIS_SENTINEL_PASSWORD": "sp", "REDIS_USERNAME": "u",
      ],
      expected: "m by sentinels s:26379, user u, sentinels with a password | - | "
        + "REDIS_SENTINEL_NODES"),
    RedisCase(
      yaml: "general_settings: {coordination_redis: {url: 'redis://u:9', service_name: m, "
        + "sentinel_nodes: [[a, 1]]}}",
      expected: "u:9 | - | general_settings.coordination_redis"),
    // Encryption: of a URL its scheme alone decides; of the rest ssl does.
    RedisCase(
      yaml: "router_settings: {redis_url: 'redis://u:9', cache_kwargs: {ssl: true}}",
      environment: ["REDIS_SSL": "true"], expected: "u:9 | - | router_settings.redis_url"),
    RedisCase(
      yaml: "router_settings: {redis_url: 'rediss://u:9/1?ssl_cert_reqs=none'}",
      environment: ["REDIS_SSL": "false"],
      expected: "u:9, database 1, encrypted (certificates are not verified) | - | "
        + "router_settings.redis_url"),
    RedisCase(
      yaml: "router_settings: {redis_host: h, redis_port: 1}", environment: ["REDIS_SSL": "yes"],
      expected: "h:1, encrypted | - | router_settings.redis_host"),
    RedisCase(
      yaml: "router_settings: {redis_host: h, redis_port: 1, cache_kwargs: {ssl: '1', "
        + "ssl_check_hostname: false, ssl_cert_reqs: required, ssl_certfile: null}}",
      expected: "h:1, encrypted (names are not verified) | - | router_settings.redis_host"),
    RedisCase(
      yaml: """
        general_settings:
          coordination_redis: {startup_nodes: [{host: a, port: 1}], url: 'redis://h', ssl: "yes"}
        """,
      expected: "cluster a:1, encrypted | - | general_settings.coordination_redis.startup_nodes"),
    // The command line.
    RedisCase(yaml: cache, choice: .off, expected: nil),
    RedisCase(
      yaml: cache.replacing("{type", with: "{ssl: true, startup_nodes: [], type"),
      choice: .given(
        RedisSource(endpoint: .unix(path: "/r"), password: RedisSecret("x"), origin: "--redis")),
      expected: "unix:/r, with a password, namespace cns | x | --redis"),
    RedisCase(
      yaml: cache, choice: .configured(password: RedisSecret("mine")),
      expected:
        "cachehost:1111, with a password, namespace cns | mine | litellm_settings.cache_params"),
    // Settings that would not be used are not looked at.
    RedisCase(
      yaml: coordination + cache.replacing("host: cachehost", with: "host: os.environ/NOWHERE"),
      expected: "coord:2222, user cu, with a password | cw | general_settings.coordination_redis"),
  ]

  @Test(arguments: cases) func isTheOneThatLiteLLMUses(_ redisCase: RedisCase) throws {
    let loader = LiteLLMConfigLoader(
      environment: redisCase.environment, redis: redisCase.choice)
    let source = try loader.load(yaml: redisCase.yaml, file: "c.yaml").redis
    let words = source.map { "\($0) | \($0.password?.revealed ?? "-") | \($0.origin)" }
    #expect(words == redisCase.expected)
  }

  static let refusals: [RedisRefusalCase] = [
    RedisRefusalCase(
      yaml: router, environment: ["REDIS_HOST": "h"],
      place: "c.yaml:3: router_settings.redis_port",
      words: ["variable REDIS_PORT is not set"]),
    RedisRefusalCase(
      yaml: "router_settings:\n  redis_url: rediss://u:s3cr3t@h?ssl_cert_reqs=some",
      place: "c.yaml:2: router_settings.redis_url", words: ["none, optional or required"]),
    RedisRefusalCase(
      yaml: "router_settings: {redis_url: 'http://s3cr3t'}",
      place: "c.yaml:1: router_settings.redis_url", words: ["redis://"]),
    RedisRefusalCase(
      yaml: "router_settings: {redis_url: 'redis://:s3cr3t@h:port'}",
      place: "c.yaml:1: router_settings.redis_url", words: ["port", "65535"]),
    RedisRefusalCase(
      yaml: """
        router_settings:
          redis_host: h
          redis_port: 1
          cache_kwargs: {ssl: 'True', ssl_password: s3cr3t}
        """,
      place: "c.yaml:4: router_settings.cache_kwargs.ssl_password", words: ["key with a password"]),
    RedisRefusalCase(
      yaml: "router_settings: {redis_host: h, redis_port: 1, cache_kwargs: {ssl_cert_reqs: 0}}",
      environment: ["REDIS_SSL": "true"],
      place: "c.yaml:1: router_settings.cache_kwargs.ssl_cert_reqs",
      words: ["the number 0", "none, optional or required"]),
    RedisRefusalCase(
      yaml: "router_settings: {redis_host: h, redis_port: 1}",
      environment: ["REDIS_SSL": "true", "REDIS_SSL_KEYFILE": "/k"],
      place: "c.yaml:1: REDIS_SSL_KEYFILE", words: ["without ssl_certfile"]),
    RedisRefusalCase(
      yaml:
        "router_settings: {redis_host: h, redis_port: 1, cache_kwargs: {ssl: 1, ssl_ca_data: x}}",
      place: "c.yaml:1: router_settings.cache_kwargs.ssl_ca_data", words: ["ssl_ca_certs"]),
    RedisRefusalCase(
      yaml: "general_settings:\n  coordination_redis:\n    startup_nodes: [{host: a}]",
      place: "c.yaml:3: general_settings.coordination_redis.startup_nodes",
      words: ["not a host and a port", "[{host: a, port: 6379}, ...]"]),
    RedisRefusalCase(
      yaml: "general_settings: {coordination_redis: {startup_nodes: [{host: a, port: 1}], db: 2}}",
      place: "c.yaml:1: general_settings.coordination_redis.db", words: ["database 0 alone"]),
    RedisRefusalCase(
      yaml: """
        litellm_settings:
          cache: true
          cache_params:
            type: redis
            sentinel_nodes: [[a, 1]]
        """, place: "c.yaml:5: litellm_settings.cache_params.sentinel_nodes",
      words: ["without service_name", "'sentinel monitor'"]),
    RedisRefusalCase(
      yaml: "general_settings: {coordination_redis: {service_name: m, sentinel_nodes: [a]}}",
      place: "c.yaml:1: general_settings.coordination_redis.sentinel_nodes",
      words: ["[[a, 26379], ...]"]),
    RedisRefusalCase(
      yaml: cache.replacing("host: cachehost, port: 1111", with: "redis_startup_nodes: [{a: 1}]"),
      place: "c.yaml:3: litellm_settings.cache_params.redis_startup_nodes",
      words: ["a host and a port"]),
    RedisRefusalCase(
      yaml: "model_list: []", environment: ["REDIS_CLUSTER_NODES": "[{}]"],
      place: "c.yaml:1: REDIS_CLUSTER_NODES", words: ["a host and a port"]),
    RedisRefusalCase(
      yaml: "model_list: []", environment: ["REDIS_CLUSTER_NODES": "a:1,b:2"],
      place: "c.yaml:1: REDIS_CLUSTER_NODES", words: ["not JSON"]),
    RedisRefusalCase(
      yaml: "model_list: []",
      environment: [
        "REDIS_CLUSTER_NODES": "["
          + Array(repeating: #"{"host": "a", "port": 1}"#, count: 65).joined(separator: ",") + "]"
      ],
      place: "c.yaml:1: REDIS_CLUSTER_NODES", words: ["65 servers", "at most 64"]),
    RedisRefusalCase(
      yaml: "general_settings: {coordination_redis: {port: 1}}",
      place: "c.yaml:1: general_settings.coordination_redis", words: ["names no Redis"]),
    RedisRefusalCase(
      yaml: "general_settings: {coordination_redis: h}",
      place: "c.yaml:1: general_settings.coordination_redis", words: ["has to be a mapping"]),
    RedisRefusalCase(
      yaml: "litellm_settings: {cache: true}", place: "c.yaml:1: litellm_settings.cache",
      words: ["names no Redis"]),
    RedisRefusalCase(
      yaml: "router_settings: {redis_host: h, redis_port: 65536}",
      place: "c.yaml:1: router_settings.redis_port", words: ["the number 65536", "65535"]),
    RedisRefusalCase(
      yaml: "router_settings: {redis_host: h, redis_port: 1, cache_kwargs: {db: -1}}",
      place: "c.yaml:1: router_settings.cache_kwargs.db", words: ["the number -1"]),
    RedisRefusalCase(
      yaml: "router_settings: {redis_host: h, redis_port: 1, redis_password: 12345678}",
      place: "c.yaml:1: router_settings.redis_password", words: ["not a text", "quote it"]),
    RedisRefusalCase(
      yaml: "router_settings: {redis_host: h, redis_port: 1, cache_kwargs: {namespace: 7}}",
      place: "c.yaml:1: router_settings.cache_kwargs.namespace", words: ["the number 7"]),
    RedisRefusalCase(
      yaml: "router_settings: {redis_host: '', redis_port: 1}",
      place: "c.yaml:1: router_settings.redis_host", words: ["empty"]),
    RedisRefusalCase(
      yaml: "router_settings: {redis_host: 'redis://h', redis_port: 1}",
      place: "c.yaml:1: router_settings.redis_host", words: ["URL"]),
    RedisRefusalCase(
      yaml: "router_settings: {redis_host: h, redis_port: 1, cache_kwargs: {aws_iam_auth: true}}",
      place: "c.yaml:1: router_settings.cache_kwargs.aws_iam_auth", words: ["user and a password"]),
  ]

  @Test(arguments: refusals) func isRefusedWithAWayOut(_ refusal: RedisRefusalCase) throws {
    let loader = LiteLLMConfigLoader(
      environment: refusal.environment, redis: .configured(password: nil))
    let error = try #require(throws: DocumentError.self) {
      try loader.load(yaml: refusal.yaml, file: "c.yaml")
    }
    #expect(error.problems.count == 1, "\(error)")
    let text = error.problems[0].description
    #expect(text.hasPrefix("\(refusal.place): "), "\(text)")
    for words in refusal.words + ["--redis off"] { #expect(text.contains(words), "\(text)") }
    for secret in ["s3cr3t", "12345678"] { #expect(!text.contains(secret), "\(text)") }
    // Off is the way out of each of them.
    let off = LiteLLMConfigLoader(environment: refusal.environment, redis: .off)
    #expect(try off.load(yaml: refusal.yaml, file: "c.yaml").redis == nil)
  }

  @Test func theCommandLineIsReadAsItSays() throws {
    for (argument, words) in [
      ("redis://h", "h:6379"), ("redis://h:1/2", "h:1, database 2"),
      ("redis://u@h:1/2", "h:1, database 2, user u"), ("unix:/run/r", "unix:/run/r"),
      ("redis://[::1]:5", "[::1]:5"), ("redis://", "localhost:6379"),
      ("cluster://a:1,b,[::1]:3", "cluster a:1,b:6379,[::1]:3"),
      ("cluster://u@a:1/0", "cluster a:1, user u"), ("rediss://h", "h:6379, encrypted"),
      ("clusters://a", "cluster a:6379, encrypted"),
      ("sentinels://a/m", "m by sentinels a:26379, encrypted"),
      ("sentinel://a,b:2/main", "main by sentinels a:26379,b:2"),
      ("sentinel://u@a/my%20one/4", "my one by sentinels a:26379, database 4, user u"),
    ] {
      guard case .given(let source) = try RedisChoice(argument: argument, password: nil) else {
        Issue.record("\(argument)")
        continue
      }
      #expect("\(source)" == words)
      #expect(source.origin == "--redis")
    }
    guard case .off = try RedisChoice(argument: "off", password: nil) else {
      Issue.record("off")
      return
    }
    for (argument, words) in [
      ("", "redis://"), ("on", "redis://"), ("http://s3cr3t", "redis://"), ("unix:run/r", "slash"),
      ("rediss://u:s3cr3t@h", "BUDGETD_REDIS_PASSWORD"),
      ("rediss://h?ssl_cert_reqs=none", "--redis-verify"),
      ("redis://u:s3cr3t@h", "BUDGETD_REDIS_PASSWORD"),
      ("redis://:s3cr3t@h/9", "--redis-password-file"), ("redis://h?password=s3cr3t", "PASSWORD"),
      ("redis://h:0", "65535"), ("redis://h:x", "65535"), ("redis://h/x", "database"),
      ("redis://h/-1", "database"), ("redis://[::1", "brackets"), ("redis://[::1]x", "brackets"),
      ("sentinel://a", "service"), ("sentinel://a/", "service"), ("sentinel:///m", "empty"),
      ("sentinel://a/m/x", "database"), ("sentinel://a/m/1/2", "give sentinel://"),
      ("cluster://a,,b", "empty"), ("cluster://a/1", "database 0"), ("cluster://a:x", "65535"),
      ("cluster://u:s3cr3t@a", "BUDGETD_REDIS_PASSWORD"),
      ("redis://a%zz", "percent"),
      ("redis://a b", "blank"), ("redis://%00", "text"),
    ] {
      let error = #expect(throws: RedisArgumentError.self, "\(argument)") {
        _ = try RedisChoice(argument: argument, password: nil)
      }
      let text = error?.description ?? ""
      #expect(text.contains(words), "\(argument): \(text)")
      #expect(!text.contains("s3cr3t"), "\(argument): \(text)")
    }
  }

  /// The settings of LiteLLM's client library, wherever they stand.
  @Test func certificatesAreThoseOfTheSettings() throws {
    let yaml = """
      litellm_settings:
        cache: true
        cache_params:
          {type: redis, host: h, ssl: true, ssl_ca_certs: os.environ/CA, ssl_certfile: /c}
      """
    var loader = LiteLLMConfigLoader(
      environment: ["CA": "/ca", "REDIS_SSL_KEYFILE": "/k", "REDIS_SSL_CA_PATH": "/cas"],
      redis: .configured(password: nil))
    var expected = RedisEncryption()
    (expected.authorities, expected.authorityFolder) = ("/ca", "/cas")
    (expected.certificate, expected.key) = ("/c", "/k")
    #expect(try loader.load(yaml: yaml, file: "c.yaml").redis?.tls == expected)
    // The command line's options take their place.
    var options = RedisEncryptionOptions()
    (options.authorities, options.serverName, options.verification) = ("/mine", "n", .chain)
    loader = LiteLLMConfigLoader(
      environment: ["CA": "/ca"], redis: .configured(password: nil, tls: options))
    let found = try loader.load(yaml: yaml, file: "c.yaml").redis?.tls
    #expect(found?.authorities == "/mine" && found?.authorityFolder == nil)
    #expect(found?.certificate == "/c" && found?.serverName == "n" && found?.verification == .chain)
    // For a Redis in the clear they mean nothing.
    let error = #expect(throws: DocumentError.self) {
      try loader.load(
        yaml: yaml.replacing("ssl: true, ", with: ""), file: "c.yaml")
    }
    #expect("\(error as Any)".contains("--redis-ca is given"))
    let refused = #expect(throws: RedisArgumentError.self) {
      _ = try RedisChoice(argument: "redis://h", password: nil, tls: options)
    }
    #expect(refused?.message.contains("--redis-ca, --redis-server-name, --redis-verify") == true)
  }

  @Test func whatChangedIsNamed() {
    let one = RedisSource(
      endpoint: .tcp(host: "h", port: 1), password: RedisSecret("a"), origin: "--redis")
    var other = one
    other.origin = "router_settings.redis_host"
    #expect(one == other && one.changes(to: other).isEmpty)
    other.password = RedisSecret("b")
    other.namespace = "ns"
    #expect(one != other && one.changes(to: other) == ["password", "namespace"])
    other = one
    other.endpoint = .unix(path: "/r")
    other.username = "u"
    other.database = 1
    #expect(one.changes(to: other) == ["address", "user", "database"])
  }

  @Test func passwordsAreNeverPrinted() {
    let source = RedisSource(
      endpoint: .unix(path: "/r"), password: RedisSecret("s3cr3t"), origin: "--redis")
    var dumped = ""
    dump(source, to: &dumped)
    for text in [dumped, "\(source)", String(reflecting: source), "\(source.password as Any)"] {
      #expect(!text.contains("s3cr3t"), "\(text)")
    }
  }
}
