/// Why a link to Redis is of no use any more, or a command was not sent.
///
/// After any of them but `tooLarge` of a request the link is closed, and what was under way has
/// an unknown outcome.
public enum RedisError: Error, Hashable, Sendable {
  /// The host's name could not be turned into an address.
  case lookup(host: String, reason: String)
  /// No connection.
  case connect(RedisAddress, reason: String)
  /// Redis did not answer in time.
  case timedOut(Duration)
  /// Redis closed the connection, or it was closed after an earlier error.
  case closed
  /// The connection broke.
  case io(String)
  /// What came is no reply, or not the one expected here.
  case protocolViolation(String)
  /// The request is larger than the bounds; nothing was sent.
  case requestTooLarge(String)
  /// The replies are larger than the bounds.
  case replyTooLarge(String)
  /// Redis refused what a connection begins with: the named command.
  case refused(command: String, RedisRefusal)
}
