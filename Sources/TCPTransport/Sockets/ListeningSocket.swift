/// A socket that listens for another server of the process, on an address as this one reads them.
public struct ListeningSocket: ~Copyable {
  /// Where it listens: with port 0 asked for, the port that was free.
  public let localAddress: SocketAddress
  private let descriptor: Descriptor

  /// Listens on `address`.
  ///
  /// - Throws: `TransportError` when it cannot be listened on.
  public init(_ address: SocketAddress) throws(TransportError) {
    descriptor = try Descriptor.listener(on: address, backlog: 128)
    localAddress = ResolvedAddress(localOf: descriptor)?.socketAddress ?? address
  }

  /// Gives the descriptor away: the caller closes it.
  public consuming func release() -> Int32 { descriptor.release() }
}
