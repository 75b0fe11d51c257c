import CEpoll
import Glibc

/// An address as the kernel takes it.
public struct ResolvedAddress: Sendable {
  private var storage: sockaddr_storage
  private let size: socklen_t

  /// The address family: `AF_INET`, `AF_INET6` or `AF_UNIX`.
  public var family: Int32 { Int32(storage.ss_family) }

  /// The addresses of `endpoint`, in the order to try them; a name is looked up, which may block.
  public static func all(of endpoint: Endpoint) throws(SocketError) -> [ResolvedAddress] {
    switch endpoint {
    case .tcp(let address): try all(of: address)
    case .unix(let path): [ResolvedAddress(path: path)]
    }
  }

  /// The addresses of `address`, in the order to try them; a name is looked up, which may block.
  public static func all(of address: SocketAddress) throws(SocketError) -> [ResolvedAddress] {
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

  /// The address of a Unix socket; what a path cannot be was refused when it was read.
  init(path: String) {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { room in
      unsafe room.copyBytes(from: path.utf8.prefix(Endpoint.longestPath))
    }
    let length = MemoryLayout<sockaddr_un>.size
    self = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { base in
        unsafe ResolvedAddress(base, size: socklen_t(length))
      }
    }
  }

  /// The address of a Unix socket whose name is abstract where it begins with `@`.
  init?(datagramPath path: String) {
    guard let first = path.utf8.first, path.utf8.count <= Endpoint.longestPath else { return nil }
    guard first == UInt8(ascii: "@") else {
      self.init(path: path)
      return
    }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    unsafe withUnsafeMutableBytes(of: &address.sun_path) { room in
      unsafe room.copyBytes(from: [0] + path.utf8.dropFirst())
    }
    // An abstract name is as long as it is said to be: zeros behind it would count.
    let length = MemoryLayout<sa_family_t>.size + path.utf8.count
    self = unsafe withUnsafePointer(to: &address) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { base in
        unsafe ResolvedAddress(base, size: socklen_t(length))
      }
    }
  }

  /// The address that `socket` is bound to.
  public init?(localOf socket: borrowing Descriptor) {
    unsafe self.init { unsafe getsockname(socket.number, $0, $1) }
  }

  /// The address at the other end of `socket`.
  public init?(peerOf socket: borrowing Descriptor) {
    unsafe self.init { unsafe getpeername(socket.number, $0, $1) }
  }

  private init?(
    asking name: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
  ) {
    var storage = sockaddr_storage()
    var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let result = unsafe withUnsafeMutablePointer(to: &storage) { room in
      unsafe room.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        unsafe name(address, &size)
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

  /// An IPv4 address that came to an IPv6 socket is the same peer.
  static func plain(_ host: String) -> String {
    let mapped = "::ffff:"
    let rest = host.dropFirst(mapped.count)
    return host.hasPrefix(mapped) && rest.utf8.contains(UInt8(ascii: ".")) ? String(rest) : host
  }

  /// The endpoint, in numbers or as a path; an abstract name begins with `@`. Nil for another family.
  var endpoint: Endpoint? {
    if let socketAddress { return .tcp(socketAddress) }
    guard family == AF_UNIX else { return nil }
    let start = MemoryLayout<sa_family_t>.size
    let bytes = unsafe withUnsafeBytes(of: storage) { room in
      unsafe Array(room[start..<max(start, Int(size))])
    }
    let isAbstract = bytes.first == 0
    let name = bytes.dropFirst(isAbstract ? 1 : 0).prefix { $0 != 0 }
    return .unix(path: (isAbstract ? "@" : "") + String(decoding: name, as: UTF8.self))
  }

  /// The TCP address in numbers; nil for another.
  public var socketAddress: SocketAddress? {
    guard family == AF_INET || family == AF_INET6 else { return nil }
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
  /// The address at the other end of a TCP connection, in numbers, without its port.
  public var peerHost: String? {
    (ResolvedAddress(peerOf: self)?.socketAddress?.host).map(ResolvedAddress.plain)
  }

  /// A socket that listens on `address`, the first of its addresses that can be bound.
  public static func listener(
    on address: SocketAddress, backlog: Int32
  ) throws(SocketError) -> Descriptor {
    var failure = SocketError.unresolvedHost(host: address.host, reason: "none found")
    for resolved in try ResolvedAddress.all(of: address) {
      let socket = try streamSocket(family: resolved.family)
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
  public func connect(to address: ResolvedAddress) -> Int32 {
    let result = unsafe address.withAddress { unsafe Glibc.connect(number, $0, $1) }
    if result == 0 { return 0 }
    let code = errno
    // An interrupted connect goes on by itself.
    return code == EINTR ? EINPROGRESS : code
  }
}
