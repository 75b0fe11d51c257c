import Reconciliation
import RedisStore

/// The fleet's store over a link to Redis: made when it is first needed, and anew after any error.
///
/// Used on one thread.
final class RedisFleetStore: FleetStore {
  private let settings: RedisSettings
  private var link: RedisLink?
  private(set) var lastRoundTrip = Duration.zero

  init(_ settings: RedisSettings) { self.settings = settings }

  /// Whether there is a link that can be used.
  var isConnected: Bool { link?.isOpen ?? false }

  /// Makes a fresh link. Returns what Redis said of itself.
  func connect() throws(RedisError) -> ServerFacts {
    link = nil
    let made = try RedisLink.connect(settings)
    let facts = made.facts
    link = .some(consume made)
    return facts
  }

  /// Closes the link: after anything unexpected the next pass begins with a fresh one.
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
