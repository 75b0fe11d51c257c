public import Sockets
public import TLS

/// Why the transport could not do what it was asked.
public enum TransportError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A socket was not to be had, or broke.
  case socket(SocketError)
  /// The connection could not be encrypted, or what came was not the peer's.
  case security(TLSFailure)
  /// The server at `address` sent nothing for so long, though requests were under way.
  case silent(address: String, for: Duration)
  /// The server does not take who the client says it is; `reason` is what it said.
  case notIntroduced(reason: String)
  /// The connection is closed, by either side.
  case closed
  /// The peer announced a frame of `length` bytes, which is over the bound.
  case frameTooLarge(length: Int, bound: Int)
  /// More lanes than a connection id can tell apart, or none.
  case invalidLaneCount(Int)

  /// One sentence for people.
  public var description: String {
    switch self {
    case .socket(let error): error.description
    case .security(let failure): failure.sentence
    case .silent(let address, let duration): "\(address) sent nothing for \(duration)"
    case .notIntroduced(let reason): reason
    case .closed: "the connection is closed"
    case .frameTooLarge(let length, let bound):
      "the peer announced a frame of \(length) bytes; the bound is \(bound)"
    case .invalidLaneCount(let count): "\(count) lanes; there may be 1 to \(LaneIndex.bound)"
    }
  }
}

extension TransportError {
  /// Does what only sockets can fail at.
  static func socket<Result: ~Copyable>(
    _ body: () throws(SocketError) -> Result
  ) throws(TransportError) -> Result {
    do throws(SocketError) {
      return try body()
    } catch {
      throw .socket(error)
    }
  }

  /// A system call on an open connection failed.
  static func system(call: String, errno: Int32, address: String?) -> TransportError {
    .socket(.system(call: call, errno: errno, address: address))
  }
}
