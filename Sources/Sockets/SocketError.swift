/// Why a socket could not be had.
public enum SocketError: Error, Equatable, Sendable, CustomStringConvertible {
  /// `text` is not an address; `reason` says what is wrong with it.
  case invalidAddress(text: String, reason: String)
  /// `text` begins with `unix:` and does not name a path; `reason` says what is wrong with it.
  case invalidPath(text: String, reason: String)
  /// The name in `host` has no address.
  case unresolvedHost(host: String, reason: String)
  /// A system call failed with `errno`; `address` is set where one was involved.
  case system(call: String, errno: Int32, address: String?)
  /// A socket that was passed to the process cannot be used; `reason` says why, and what to do.
  case unusableInherited(name: String, reason: String)
  /// No answer to the attempt to connect within the time given.
  case connectTimedOut(address: String)

  /// One sentence for people.
  public var description: String {
    switch self {
    case .invalidAddress(let text, let reason):
      "'\(text)' is not an address: \(reason); write HOST:PORT, as in 127.0.0.1:7077 or [::1]:7077"
    case .invalidPath(let text, let reason):
      "'\(text)' is not an address: \(reason); write unix:PATH, as in unix:/run/budgetd/rpc.sock"
    case .unresolvedHost(let host, let reason): "the host '\(host)' has no address: \(reason)"
    case .system(let call, let errno, let address):
      "\(call)\(address.map { " on \($0)" } ?? "") failed: \(SystemCalls.message(for: errno))"
    case .unusableInherited(let name, let reason):
      "\(name), passed to this process, cannot be used: \(reason)"
    case .connectTimedOut(let address): "\(address) did not answer in time"
    }
  }
}
