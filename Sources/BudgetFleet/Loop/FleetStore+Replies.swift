import Reconciliation
import RedisStore

extension FleetStore {
  /// The replies to `commands`, one for each. Throws where the store is not to be had, or says anything
  /// else.
  mutating func replies(to commands: [[[UInt8]]]) throws(PassFailure) -> [RedisValue] {
    let replies: [RedisValue]
    do throws(RedisError) {
      replies = try perform(commands)
    } catch {
      throw .store(error)
    }
    guard replies.count == commands.count else { throw .unexpectedReply(command: "a pipeline") }
    return replies
  }
}
