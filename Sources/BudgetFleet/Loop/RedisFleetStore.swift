import Reconciliation
import RedisStore

/// The fleet's store together with the link to it.
protocol FleetLink: FleetStore {
  /// Whether there is a link that can be used.
  var isConnected: Bool { get }

  /// Makes a fresh link. Returns what the store said of itself.
  mutating func connect() throws(RedisError) -> ServerFacts

  /// Closes the link: after anything unexpected the next pass begins with a fresh one.
  mutating func disconnect()
}

/// The fleet's store over a link to Redis: made when it is first needed, and anew after any error.
///
/// Used on one thread.
final class RedisFleetStore: FleetLink {
  private let settings: RedisSettings
  private var link: RedisLink?
  private(set) var lastRoundTrip = Duration.zero

  init(_ settings: RedisSettings) { self.settings = settings }

  var isConnected: Bool { link?.isOpen ?? false }

  func connect() throws(RedisError) -> ServerFacts {
    link = nil
    let made = try RedisLink.connect(settings)
    let facts = made.facts
    link = .some(consume made)
    return facts
  }

  func disconnect() { link = nil }

  func perform(_ commands: [[[UInt8]]]) throws(RedisError) -> [RedisValue] {
    let start = ContinuousClock.now
    defer { lastRoundTrip = ContinuousClock.now - start }
    guard link != nil, let replies = try link?.pipeline(commands) else { throw .closed }
    return replies
  }

  func evaluate(_ calls: [RedisScriptCall]) throws(RedisError) -> [RedisValue] {
    guard link != nil, let replies = try link?.evaluate(SpendScript.script, calls) else {
      throw .closed
    }
    return replies
  }
}
