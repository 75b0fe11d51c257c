/// A socket that listens, at an endpoint as it was asked for.
public struct ListeningSocket: ~Copyable, Sendable {
  /// The endpoint that it listens at: with port 0 asked for, the port that was free.
  public let localEndpoint: Endpoint
  /// The file of a Unix socket, to be removed once nobody listens there; nil: it has none.
  public let file: UnixSocketFile?
  private let descriptor: Descriptor

  /// Listens on `address`, the first of its addresses that can be bound, with room for `backlog`
  /// connections that were not accepted yet.
  ///
  /// - Throws: `SocketError` when it cannot be listened on.
  public init(_ address: SocketAddress, backlog: Int32 = 128) throws(SocketError) {
    descriptor = try Descriptor.listener(on: address, backlog: backlog)
    localEndpoint = .tcp(ResolvedAddress(localOf: descriptor)?.socketAddress ?? address)
    file = nil
  }

  /// Listens at `endpoint`; `mode` is who may connect to a Unix socket, as a file's permissions.
  ///
  /// A file that a process left that listens no more is replaced; any other is not.
  /// - Throws: `SocketError` when it cannot be listened at.
  public init(
    _ endpoint: Endpoint, backlog: Int32, mode: UInt32
  ) throws(SocketError) {
    switch endpoint {
    case .tcp(let address): self = try ListeningSocket(address, backlog: backlog)
    case .unix(let path):
      descriptor = try Descriptor.unixListener(at: path, mode: mode, backlog: backlog)
      file = UnixSocketFile(path: path)
      localEndpoint = endpoint
    }
  }

  /// Takes over one that listens already. Its file, if it has one, is whoever's who made it.
  public init(adopting inherited: InheritedSocket) {
    localEndpoint = inherited.endpoint
    file = nil
    descriptor = inherited.adopt()
  }

  /// Gives the descriptor away.
  public consuming func release() -> Descriptor { descriptor }
}
