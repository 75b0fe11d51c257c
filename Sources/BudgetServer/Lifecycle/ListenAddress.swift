import Sockets

/// The addresses that options ask to listen on.
enum ListenAddress {
  /// Reads the value of `option`. Throws if it is not an address, or reaches other machines without
  /// leave.
  static func parsed(
    _ text: String, of option: String, allowsInsecureNetwork: Bool
  ) throws(ServerError) -> SocketAddress {
    let address: SocketAddress
    do throws(SocketError) {
      address = try SocketAddress(text)
    } catch {
      throw .usage("\(option) \(error)")
    }
    guard address.isLoopback || allowsInsecureNetwork else { throw notLoopback(text, of: option) }
    return address
  }

  static func notLoopback(_ text: String, of option: String) -> ServerError {
    .usage(
      "\(option) \(text) is not a loopback address and nothing here is encrypted or "
        + "authenticated: listen on 127.0.0.1, or say --insecure-network if the network is safe")
  }
}
