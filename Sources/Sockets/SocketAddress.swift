import Glibc

/// The address that a server listens on or a client connects to: a host and a port.
///
/// The host is an IPv4 or IPv6 address or a name; a name is looked up only when it is used.
public struct SocketAddress: Hashable, Sendable, CustomStringConvertible {
  /// The address or name, without brackets.
  public let host: String
  /// The port; 0 lets the system choose when listening.
  public let port: UInt16

  /// Reads `HOST:PORT`; an IPv6 address stands in brackets.
  ///
  /// - Throws: `SocketError.invalidAddress`, with the text and what is wrong with it.
  public init(_ text: String) throws(SocketError) {
    func refused(_ reason: String) -> SocketError {
      .invalidAddress(text: text, reason: reason)
    }
    if text.contains("://") {
      throw refused("this is a URL")
    }
    guard let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")) else {
      throw refused("the port is missing")
    }
    let digits = text[text.utf8.index(after: colon)...]
    guard (1...5).contains(digits.utf8.count), digits.utf8.allSatisfy({ (48...57).contains($0) }),
      let port = UInt16(digits)
    else { throw refused("the port is not a number from 0 to 65535") }
    let name = text[..<colon]
    if name.utf8.isEmpty { throw refused("the host is missing") }
    if name.utf8.first == UInt8(ascii: "[") {
      guard name.utf8.last == UInt8(ascii: "]") else { throw refused("the bracket is not closed") }
      let inner = String(name.dropFirst().dropLast())
      guard Self.bytes6(inner) != nil else { throw refused("no IPv6 address in the brackets") }
      host = inner
    } else {
      if name.utf8.contains(UInt8(ascii: ":")) { throw refused("IPv6 addresses need brackets") }
      guard name.utf8.count <= 253, name.utf8.allSatisfy(Self.mayStandInName) else {
        throw refused("the host is neither an address nor a name")
      }
      host = String(name)
    }
    self.port = port
  }

  /// The address of a host that is known to be an address or a name.
  public init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }

  /// `HOST:PORT`, as it is read.
  public var description: String {
    host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
  }

  /// Whether nobody outside this machine can reach it: 127.0.0.0/8, ::1, their mapped forms, and
  /// the name `localhost`. Any other name is taken not to be.
  public var isLoopback: Bool {
    if host == "localhost" { return true }
    if let bytes = Self.bytes4(host) { return bytes[0] == 127 }
    guard let bytes = Self.bytes6(host) else { return false }
    let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]
    if bytes.starts(with: mapped) { return bytes[12] == 127 }
    return bytes.dropLast().allSatisfy { $0 == 0 } && bytes[15] == 1
  }

  /// Whether the host is an address already, and needs no lookup.
  public var isNumeric: Bool { Self.bytes4(host) != nil || Self.bytes6(host) != nil }

  private static func mayStandInName(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"),
      UInt8(ascii: "_"):
      true
    default: false
    }
  }

  private static func bytes4(_ text: String) -> [UInt8]? {
    var address = in_addr()
    guard unsafe inet_pton(AF_INET, text, &address) == 1 else { return nil }
    return unsafe withUnsafeBytes(of: &address) { unsafe Array($0) }
  }

  private static func bytes6(_ text: String) -> [UInt8]? {
    var address = in6_addr()
    guard unsafe inet_pton(AF_INET6, text, &address) == 1 else { return nil }
    return unsafe withUnsafeBytes(of: &address) { unsafe Array($0) }
  }
}

/// A place to listen on or to connect to: `HOST:PORT`, or `unix:PATH`.
public enum Endpoint: Hashable, Sendable, CustomStringConvertible {
  /// Over TCP.
  case tcp(SocketAddress)
  /// A socket in the file system, on this machine only.
  case unix(path: String)

  /// The longest path of a Unix socket, in bytes: the system's `sun_path` less its end.
  public static let longestPath = 107

  /// Reads `HOST:PORT` or `unix:PATH`.
  ///
  /// - Throws: `SocketError.invalidAddress`, with the text and what is wrong with it.
  public init(_ text: String) throws(SocketError) {
    let scheme = "unix:"
    guard text.hasPrefix(scheme) else {
      self = .tcp(try SocketAddress(text))
      return
    }
    let path = String(text.dropFirst(scheme.count))
    let reason: String? =
      if path.utf8.isEmpty {
        "the path is missing"
      } else if path.utf8.contains(0) {
        "the path has a zero byte"
      } else if path.utf8.count > Self.longestPath {
        "the path has \(path.utf8.count) bytes, the system takes \(Self.longestPath)"
      } else {
        nil
      }
    if let reason { throw .invalidPath(text: text, reason: reason) }
    self = .unix(path: path)
  }

  /// The endpoint as it is read.
  public var description: String {
    switch self {
    case .tcp(let address): address.description
    case .unix(let path): "unix:\(path)"
    }
  }

  /// Whether nobody outside this machine can reach it.
  public var isLocal: Bool {
    switch self {
    case .tcp(let address): address.isLoopback
    case .unix: true
    }
  }

  /// The TCP address; nil for a Unix socket.
  public var address: SocketAddress? {
    if case .tcp(let address) = self { address } else { nil }
  }
}
