public import RedisStore

/// The store that the fleet shares, as reconciling uses it: Redis, or a simulated one.
///
/// What throws has an unknown outcome: none, some or all of it may have been applied.
public protocol FleetStore {
  /// Sends all commands at once; their replies in the same order, refusals among them.
  mutating func perform(_ commands: [[[UInt8]]]) throws(RedisError) -> [RedisValue]

  /// How long the last call took, from the first byte sent to the last reply.
  var lastRoundTrip: Duration { get }

  /// Runs the spend script for each call; replies in the order of the calls.
  mutating func evaluate(_ calls: [RedisScriptCall]) throws(RedisError) -> [RedisValue]
}
