import HTTPPort
import Sockets
import TCPTransport

/// The listener of pages: the address that options ask for, and the bounds of the port.
enum PageListener {
  /// The address that options ask for; nil: none. Throws where that cannot be.
  static func address(_ options: ServerOptions) throws(ServerError) -> SocketAddress? {
    guard let text = options.http else { return nil }
    return try ListenRule(options, .pages).address(text, of: "--http")
  }

  /// Listens where the options say; nil where they ask for no pages.
  static func listen(_ options: ServerOptions) throws(ServerError) -> ListeningSocket? {
    guard let address = try address(options) else { return nil }
    let listener: ListeningSocket
    do throws(SocketError) {
      listener = try ListeningSocket(address)
    } catch {
      throw .unavailable(
        "cannot listen on \(address): \(error); choose another with --http, port 0 takes a free one, "
          + "off is for none")
    }
    // A name may resolve to more than its text says.
    try ListenRule(options, .pages).check(listener.localEndpoint, of: "--http")
    return listener
  }

  /// The bounds as documented, less where the process has less: pages take no more memory than RPC
  /// connections may, and leave descriptors to the ledger.
  static func bounds(_ transport: TCPServer) -> HTTPBounds {
    var bounds = HTTPBounds.standard
    bounds.unsentBytes = min(bounds.unsentBytes, transport.bounds.unsentTotalBytes)
    bounds.connections = min(bounds.connections, max(8, transport.descriptorLimit / 8))
    return bounds
  }
}
