import Reconciliation
import RedisStore

/// The fleet's store over a Redis cluster.
///
/// Used on one thread.
final class ClusterFleetStore: FleetLink {
  private var cluster: RedisCluster<ClusterLinks>
  private let encryption: RedisTLS?
  private var certificateEnd: Int64?
  private var seen = 0
  private(set) var lastRoundTrip = Duration.zero

  /// How long a node may take: the others wait for it meanwhile.
  private static let commandTimeout = Duration.seconds(1)

  init(_ settings: RedisSettings, seeds: [RedisAddress]) {
    var settings = settings
    settings.commandTimeout = Self.commandTimeout
    encryption = settings.encryption
    cluster = RedisCluster(
      seeds: seeds, clockKey: RedisKeys(namespace: settings.namespace).nodesKey,
      // Certificates are of names; one that is given is every node's.
      byName: settings.encryption.map { $0.serverName == nil } ?? false, ClusterLinks(settings))
  }

  var isConnected: Bool { cluster.isConnected }

  var health: StoreHealth {
    var health = StoreHealth()
    let (known, away) = cluster.nodes
    health.certificateEnd = certificateEnd
    health.cluster = .init(
      nodesUp: known - away, nodesAway: away,
      redirects: [
        ("moved", cluster.redirects.moved), ("ask", cluster.redirects.ask),
        ("tryagain", cluster.redirects.tryAgain), ("clusterdown", cluster.redirects.clusterDown),
        ("noscript", cluster.redirects.noScript),
      ].map { .init(kind: $0, count: $1) },
      clockDifference: cluster.clockDifference)
    return health
  }

  func beginPass() { cluster.beginPass() }

  func beginCall() { cluster.beginCall() }

  func connect() throws(RedisError) -> ServerFacts {
    try cluster.connect()
    // Each node is asked something, so that it has a link that told its facts.
    _ = try cluster.perform([[Array("TIME".utf8)]])
    certificateEnd = encryption?.certificateEnd
    var facts = ServerFacts()
    facts.isCluster = true
    facts.masters = cluster.nodes.known
    let told = cluster.transport.facts.values
    facts.version = told.compactMap(\.version).min()
    facts.evictionPolicy =
      told.compactMap(\.evictionPolicy).first { $0 != "noeviction" }
      ?? told.compactMap(\.evictionPolicy).first
    return facts
  }

  func takeRenewal() -> Bool {
    defer { seen = cluster.transport.made }
    return seen != cluster.transport.made
  }

  func disconnect() { cluster.disconnect() }

  func perform(_ commands: [[[UInt8]]]) throws(RedisError) -> [RedisValue] {
    try perform(commands, reading: []).replies
  }

  func perform(
    _ commands: [[[UInt8]]], reading keys: [[UInt8]]
  ) throws(RedisError) -> (replies: [RedisValue], values: [RedisValue]) {
    let found = try cluster.perform(commands, reading: keys)
    lastRoundTrip = cluster.clockRoundTrip
    return found
  }

  func evaluate(_ calls: [RedisScriptCall]) throws(RedisError) -> [RedisValue] {
    try evaluate(SpendScript.script, calls)
  }

  func evaluate(
    _ script: RedisScript, _ calls: [RedisScriptCall]
  ) throws(RedisError) -> [RedisValue] {
    try cluster.evaluate(script, calls)
  }

  var linksMade: Int { cluster.transport.made }

  func slot(of key: [UInt8]) -> Int { RedisSlot.of(key) }
}
