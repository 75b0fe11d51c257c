/// A socket that listens, on an address as it was asked for.
public struct ListeningSocket: ~Copyable, Sendable {
  /// The address that it listens on: with port 0 asked for, the port that was free.
  public let localAddress: SocketAddress
  private let descriptor: Descriptor

  /// Listens on `address`, the first of its addresses that can be bound, with room for `backlog`
  /// connections that were not accepted yet.
  ///
  /// - Throws: `SocketError` when it cannot be listened on.
  public init(_ address: SocketAddress, backlog: Int32 = 128) throws(SocketError) {
    descriptor = try Descriptor.listener(on: address, backlog: backlog)
    localAddress = ResolvedAddress(localOf: descriptor)?.socketAddress ?? address
  }

  /// Gives the descriptor away.
  public consuming func release() -> Descriptor { descriptor }
}
