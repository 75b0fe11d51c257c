/// Where a Redis is.
public enum RedisAddress: Hashable, Sendable {
  /// A host's name or its address, and a port.
  case tcp(host: String, port: UInt16)
  /// The path of a Unix socket.
  case unix(path: String)
}

extension RedisAddress: CustomStringConvertible {
  /// `host:port`, `[::1]:port` or `unix:/path`; strange characters are escaped.
  public var description: String {
    switch self {
    case .tcp(let host, let port):
      let name = PrintableText.bounded(host)
      return host.utf8.contains(UInt8(ascii: ":")) ? "[\(name)]:\(port)" : "\(name):\(port)"
    case .unix(let path): return "unix:\(PrintableText.bounded(path))"
    }
  }
}
