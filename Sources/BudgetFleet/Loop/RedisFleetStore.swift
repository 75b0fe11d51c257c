import Reconciliation
import RedisStore

/// The fleet's store together with the link to it.
protocol FleetLink: ExchangeStore {
  /// Whether there is a link that can be used.
  var isConnected: Bool { get }

  /// A pass begins: whoever finds the servers looks whether they are still the ones.
  mutating func beginPass()

  /// A call or an exchange between two passes begins: it has time of its own to find the servers.
  mutating func beginCall()

  /// Makes a fresh link. Returns what the store said of itself.
  mutating func connect() throws(RedisError) -> ServerFacts

  /// Whether a link was made since this was asked last: what is behind it may be another server.
  mutating func takeRenewal() -> Bool

  /// Closes the link: after anything unexpected the next pass begins with a fresh one.
  mutating func disconnect()

  /// How its servers are.
  var health: StoreHealth { get }
}

/// The fleet's store over a link to one Redis, which sentinels may name: made when it is first needed,
/// and anew after any error.
///
/// Used on one thread.
final class RedisFleetStore: FleetLink {
  private let settings: RedisSettings
  private let watch: SentinelWatch?
  private var link: RedisLink?
  private var address: RedisAddress?
  private var askedAt: ContinuousClock.Instant?
  private var isRenewed = false
  private var switches = 0
  private(set) var linksMade = 0
  private var certificateEnd: Int64?
  private(set) var lastRoundTrip = Duration.zero

  /// How often a sentinel is asked who is the master, while there is a link. A little less than the
  /// usual time between two passes, so that none of those goes by without the question.
  private static let watchInterval = Duration.milliseconds(900)
  /// How much longer they are left alone where none of them answered.
  private static let patience = Duration.seconds(4)

  init(_ settings: RedisSettings) {
    self.settings = settings
    watch =
      if case .sentinel(let sentinels) = settings.topology {
        SentinelWatch(settings, sentinels)
      } else {
        nil
      }
  }

  var isConnected: Bool { link?.isOpen ?? false }

  var health: StoreHealth {
    var health = StoreHealth()
    if watch != nil { health.sentinelSwitches = switches }
    health.certificateEnd = certificateEnd
    return health
  }

  func beginPass() {
    guard let watch, isConnected else { return }
    if let askedAt, ContinuousClock.now - askedAt < Self.watchInterval { return }
    askedAt = .now
    do throws(RedisError) {
      if try watch.master() != address { link = nil }
    } catch {
      // The master still answers, so the link stays. Asking silent sentinels again before each pass
      // would only delay it.
      self.askedAt = .now + Self.patience
    }
  }

  /// Sentinels are asked before passes: one link goes nowhere else.
  func beginCall() {}

  func connect() throws(RedisError) -> ServerFacts {
    link = nil
    var settings = settings
    if let watch {
      settings.address = try watch.master()
      askedAt = .now
    }
    var made = try RedisLink.connect(settings)
    if watch != nil { try made.expectMaster() }
    if let address, address != settings.address { switches += 1 }
    address = settings.address
    certificateEnd = settings.encryption?.certificateEnd
    let facts = made.facts
    link = .some(consume made)
    isRenewed = true
    linksMade += 1
    return facts
  }

  func takeRenewal() -> Bool {
    defer { isRenewed = false }
    return isRenewed
  }

  func disconnect() { link = nil }

  func perform(_ commands: [[[UInt8]]]) throws(RedisError) -> [RedisValue] {
    let start = ContinuousClock.now
    defer { lastRoundTrip = ContinuousClock.now - start }
    guard link != nil, let replies = try link?.pipeline(commands) else { throw .closed }
    return replies
  }

  func evaluate(_ calls: [RedisScriptCall]) throws(RedisError) -> [RedisValue] {
    try evaluate(SpendScript.script, calls)
  }

  func evaluate(
    _ script: RedisScript, _ calls: [RedisScriptCall]
  ) throws(RedisError) -> [RedisValue] {
    guard link != nil, let replies = try link?.evaluate(script, calls) else { throw .closed }
    return replies
  }
}
