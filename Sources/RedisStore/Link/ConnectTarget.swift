/// An address that needs no lookup.
enum ConnectTarget: Hashable, Sendable {
  /// An address in numbers, and a port.
  case tcp(numericHost: String, port: UInt16)
  /// The path of a Unix socket.
  case unix(path: String)
}
