import HTTPPort
import Sockets
import TCPTransport

/// The listener of pages: the address that options ask for, and the bounds of the port.
enum PageListener {
  /// The address that options ask for, or that was passed; nil: none. Throws where that cannot be.
  static func address(
    _ options: ServerOptions, _ passed: PassedSockets
  ) throws(ServerError) -> SocketAddress? {
    let rule = ListenRule(options, .pages)
    if let socket = passed.http {
      try rule.check(socket.endpoint, of: PassedSockets.origin)
      return socket.endpoint.address
    }
    guard let text = options.http else { return nil }
    return try rule.address(text, of: "--http")
  }

  /// Listens where the options say, or takes over what listens already; nil where they ask for no pages.
  static func listen(
    _ options: ServerOptions, _ passed: PassedSockets
  ) throws(ServerError) -> ListeningSocket? {
    guard let address = try address(options, passed) else { return nil }
    if let socket = passed.http { return ListeningSocket(adopting: socket) }
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
