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
  /// - Throws: `TransportError.invalidAddress`, with the text and what is wrong with it.
  public init(_ text: String) throws(TransportError) {
    func refused(_ reason: String) -> TransportError {
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

  init(host: String, port: UInt16) {
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

/// An address as the kernel takes it.
struct ResolvedAddress: Sendable {
  private var storage: sockaddr_storage
  private let size: socklen_t

  var family: Int32 { Int32(storage.ss_family) }

  /// The addresses of `address`, in the order to try them; a name is looked up, which may block.
  static func all(of address: SocketAddress) throws(TransportError) -> [ResolvedAddress] {
    var hints = unsafe addrinfo()
    unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    unsafe hints.ai_flags = AI_NUMERICSERV
    var list: UnsafeMutablePointer<addrinfo>?
    let code = unsafe getaddrinfo(address.host, String(address.port), &hints, &list)
    guard code == 0 else {
      let reason = unsafe gai_strerror(code).map { unsafe String(cString: $0) } ?? "error \(code)"
      throw .unresolvedHost(host: address.host, reason: reason)
    }
    defer { unsafe freeaddrinfo(list) }
    var found: [ResolvedAddress] = []
    var next = unsafe list
    while let entry = unsafe next {
      if let base = unsafe entry.pointee.ai_addr {
        unsafe found.append(ResolvedAddress(base, size: entry.pointee.ai_addrlen))
      }
      unsafe next = entry.pointee.ai_next
    }
    guard !found.isEmpty else { throw .unresolvedHost(host: address.host, reason: "none found") }
    return found
  }

  private init(_ base: UnsafePointer<sockaddr>, size: socklen_t) {
    storage = sockaddr_storage()
    self.size = min(size, socklen_t(MemoryLayout<sockaddr_storage>.size))
    unsafe withUnsafeMutableBytes(of: &storage) { room in
      unsafe room.copyMemory(from: UnsafeRawBufferPointer(start: base, count: Int(self.size)))
    }
  }

  /// The address that `socket` is bound to.
  init?(localOf socket: borrowing Descriptor) {
    unsafe self.init(of: socket) { unsafe getsockname($0, $1, $2) }
  }

  /// The address that `socket` is connected to.
  init?(peerOf socket: borrowing Descriptor) {
    unsafe self.init(of: socket) { unsafe getpeername($0, $1, $2) }
  }

  private init?(
    of socket: borrowing Descriptor,
    _ name: (Int32, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
  ) {
    var storage = sockaddr_storage()
    var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let result = unsafe withUnsafeMutablePointer(to: &storage) { room in
      unsafe room.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        unsafe name(socket.number, address, &size)
      }
    }
    guard result == 0 else { return nil }
    self.storage = storage
    self.size = size
  }

  /// Calls `body` with the address as `bind` and `connect` want it.
  func withAddress(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    unsafe withUnsafePointer(to: storage) { room in
      unsafe room.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0, size) }
    }
  }

  /// The address in numbers.
  var socketAddress: SocketAddress? {
    var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
    var port = [CChar](repeating: 0, count: Int(NI_MAXSERV))
    let code = unsafe withAddress { address, size in
      unsafe getnameinfo(
        address, size, &host, socklen_t(host.count), &port, socklen_t(port.count),
        Int32(NI_NUMERICHOST | NI_NUMERICSERV))
    }
    func text(_ characters: [CChar]) -> String {
      String(
        decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
    guard code == 0, let number = UInt16(text(port)) else { return nil }
    return SocketAddress(host: text(host), port: number)
  }
}

extension Descriptor {
  /// A socket that listens on `address`, the first of its addresses that can be bound.
  static func listener(
    on address: SocketAddress, backlog: Int32
  ) throws(TransportError) -> Descriptor {
    var failure = TransportError.unresolvedHost(host: address.host, reason: "none found")
    for resolved in try ResolvedAddress.all(of: address) {
      let socket = try tcpSocket(family: resolved.family)
      socket.setOption(SOL_SOCKET, SO_REUSEADDR, to: 1)
      let bound = unsafe resolved.withAddress { unsafe bind(socket.number, $0, $1) }
      if bound == 0, listen(socket.number, backlog) == 0 { return socket }
      let code = errno
      failure = .system(
        call: bound == 0 ? "listen" : "bind", errno: code, address: address.description)
    }
    throw failure
  }

  /// Starts to connect to `address`: 0 when done, EINPROGRESS when under way, else why not.
  func connect(to address: ResolvedAddress) -> Int32 {
    let result = unsafe address.withAddress { unsafe Glibc.connect(number, $0, $1) }
    if result == 0 { return 0 }
    let code = errno
    // An interrupted connect goes on by itself.
    return code == EINTR ? EINPROGRESS : code
  }
}
