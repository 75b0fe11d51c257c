import Sockets

/// The sockets that were passed to the process, by what their names say they are for.
struct PassedSockets {
  /// The words for them in complaints.
  static let origin = "the socket passed to this process at"

  /// Those of the RPC port.
  private(set) var rpc: [InheritedSocket] = []
  /// That of the HTTP port.
  private(set) var http: InheritedSocket?

  /// Sorts them. Throws where a name is unknown, or says something else than its socket is.
  init(_ all: [InheritedSocket], isEncrypted: Bool) throws(ServerError) {
    for socket in all {
      let isUnix = socket.endpoint.address == nil
      func refused(_ reason: String) -> ServerError {
        .usage("the socket passed at \(socket.endpoint) is called '\(socket.name)': \(reason)")
      }
      switch (socket.name, isUnix) {
      case ("rpc", false), ("rpc-unix", true): rpc.append(socket)
      case ("rpc-tls", false):
        guard isEncrypted else {
          throw refused("give --tls-cert and --tls-key, or call it rpc to have it in the clear")
        }
        rpc.append(socket)
      case ("http", false):
        guard http == nil else { throw refused("one before it is called so already") }
        http = socket
      case ("rpc", true), ("rpc-tls", true): throw refused("call a Unix socket rpc-unix")
      case ("rpc-unix", false): throw refused("call a socket of TCP rpc or rpc-tls")
      case ("http", true): throw refused("pages are served over TCP only")
      default: throw refused("the names are rpc, rpc-tls, rpc-unix and http (FileDescriptorName=)")
      }
    }
  }
}
