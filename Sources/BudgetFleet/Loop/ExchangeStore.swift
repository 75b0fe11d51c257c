import Reconciliation
import RedisStore

/// The store as a node's exchanges beside its passes use it: scripts of their own.
protocol ExchangeStore: FleetStore {
  /// Runs `script` for each call; replies in the order of the calls.
  mutating func evaluate(
    _ script: RedisScript, _ calls: [RedisScriptCall]
  ) throws(RedisError) -> [RedisValue]

  /// How many links were made so far: behind a new one may be another server, which lacks the last
  /// writes.
  var linksMade: Int { get }
}

extension ExchangeStore {
  /// The replies to calls of a script, one for each. Throws where the store is not to be had.
  mutating func answers(
    to calls: [RedisScriptCall], of script: RedisScript
  ) throws(PassFailure) -> [RedisValue] {
    if calls.isEmpty { return [] }
    let replies: [RedisValue]
    do throws(RedisError) {
      replies = try evaluate(script, calls)
    } catch {
      throw .store(error)
    }
    guard replies.count == calls.count else { throw .unexpectedReply(command: "a script") }
    return replies
  }
}
