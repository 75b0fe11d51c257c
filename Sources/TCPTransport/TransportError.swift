/// Why the transport could not do what it was asked.
public enum TransportError: Error, Equatable, Sendable, CustomStringConvertible {
  /// `text` is not an address; `reason` says what is wrong with it.
  case invalidAddress(text: String, reason: String)
  /// The name in `host` has no address.
  case unresolvedHost(host: String, reason: String)
  /// A system call failed with `errno`; `address` is set where one was involved.
  case system(call: String, errno: Int32, address: String?)
  /// No answer to the attempt to connect within the time given.
  case connectTimedOut(address: String)
  /// The server at `address` sent nothing for so long, though requests were under way.
  case silent(address: String, for: Duration)
  /// The connection is closed, by either side.
  case closed
  /// The peer announced a frame of `length` bytes, which is over the bound.
  case frameTooLarge(length: Int, bound: Int)
  /// More lanes than a connection id can tell apart, or none.
  case invalidLaneCount(Int)

  /// One sentence for people.
  public var description: String {
    switch self {
    case .invalidAddress(let text, let reason):
      "'\(text)' is not an address: \(reason); write HOST:PORT, as in 127.0.0.1:7077 or [::1]:7077"
    case .unresolvedHost(let host, let reason): "the host '\(host)' has no address: \(reason)"
    case .system(let call, let errno, let address):
      "\(call)\(address.map { " on \($0)" } ?? "") failed: \(SystemCalls.message(for: errno))"
    case .connectTimedOut(let address): "\(address) did not answer in time"
    case .silent(let address, let duration): "\(address) sent nothing for \(duration)"
    case .closed: "the connection is closed"
    case .frameTooLarge(let length, let bound):
      "the peer announced a frame of \(length) bytes; the bound is \(bound)"
    case .invalidLaneCount(let count): "\(count) lanes; there may be 1 to \(LaneIndex.bound)"
    }
  }
}
