import Glibc
import TLS

/// The owner of one socket to Redis, which never blocks: bytes out and in, as far as they go.
///
/// If the connection is encrypted, plaintext comes in and goes out here, and ciphertext is what the
/// socket sees. Bytes that are to go out are queued here. Whoever waits for the socket polls it, so that all waits
/// together have one deadline.
struct RedisSocket: ~Copyable {
  private let descriptor: Int32
  /// Bytes on their way out, and how many of them have gone.
  private var outgoing: [UInt8] = []
  private var gone = 0
  private var scratch = [UInt8](repeating: 0, count: RedisSocket.chunk)
  /// Nil: in the clear.
  private var session: TLSSession?
  private var plaintext: [UInt8] = []

  /// Bytes that one read takes at most.
  private static let chunk = 65_536

  private init(_ descriptor: Int32) { self.descriptor = descriptor }

  deinit { close(descriptor) }

  /// A connection to one numeric address or a path. Waits until `deadline` at most.
  static func connected(
    to target: ConnectTarget, of address: RedisAddress, deadline: Deadline
  ) throws(RedisError) -> RedisSocket {
    let socket: RedisSocket
    switch target {
    case .tcp(let numericHost, let port):
      socket = try tcp(numericHost, port, of: address)
    case .unix(let path):
      socket = try unix(path, of: address)
    }
    guard try socket.ready(PollEvents.output, until: deadline) != 0 else {
      throw .connect(address, reason: "no connection within \(deadline.allowance)")
    }
    if let reason = socket.failure() { throw .connect(address, reason: reason) }
    if case .tcp = target { socket.setTCPOptions() }
    return socket
  }

  // MARK: - Bytes

  /// How many bytes wait to go out.
  var queued: Int { outgoing.count - gone }

  /// Adds bytes to those that are to go out.
  mutating func queue(_ bytes: [UInt8]) throws(RedisError) {
    guard session != nil else {
      outgoing += bytes
      return
    }
    guard session?.seal(bytes[...], toSend: &outgoing) == true else {
      throw .io("the encryption has failed before")
    }
  }

  /// Sends what is queued as far as it goes. True: all of it has gone.
  mutating func flush() throws(RedisError) -> Bool {
    while gone < outgoing.count {
      let (descriptor, gone) = (descriptor, gone)
      let count = unsafe outgoing.withUnsafeBytes { bytes in
        unsafe send(
          descriptor, bytes.baseAddress?.advanced(by: gone), bytes.count - gone,
          Int32(MSG_NOSIGNAL))
      }
      if count >= 0 {
        self.gone += count
        continue
      }
      switch errno {
      case EINTR: continue
      case EAGAIN: return false
      default:
        let reason = Self.message(for: errno)
        throw .io(lastWords() ?? reason)
      }
    }
    outgoing.removeAll(keepingCapacity: outgoing.capacity <= 1 << 20)
    gone = 0
    return true
  }

  /// Why a server that takes no more has hung up: in TLS 1.3 it judges a client's certificate once the
  /// client believes to be connected. Nil: it did not say.
  private mutating func lastWords() -> String? {
    guard session != nil else { return nil }
    var bytes: [UInt8] = []
    do throws(RedisError) {
      guard let count = try take() else { return nil }
      return try open(count, into: &bytes)?.sentence
    } catch {
      return nil
    }
  }

  /// Takes in what has come and appends it to `bytes`; false: nothing was there.
  mutating func receive(into bytes: inout [UInt8]) throws(RedisError) -> Bool {
    guard let count = try take() else { return false }
    guard session != nil else {
      bytes += scratch[..<count]
      return true
    }
    if let failure = try open(count, into: &bytes) { throw .io(failure.sentence) }
    return true
  }

  /// Reads what has come into `scratch`; nil: nothing was there.
  private mutating func take() throws(RedisError) -> Int? {
    while true {
      let count = unsafe recv(descriptor, &scratch, scratch.count, 0)
      if count > 0 { return count }
      if count == 0 { throw .closed }
      switch errno {
      case EINTR: continue
      case EAGAIN: return nil
      default: throw .io(Self.message(for: errno))
      }
    }
  }

  /// Decrypts the first bytes of `scratch`. Returns why that failed; nil: it did not.
  private mutating func open(
    _ count: Int, into bytes: inout [UInt8]
  ) throws(RedisError) -> TLSFailure? {
    if plaintext.isEmpty {
      plaintext = [UInt8](repeating: 0, count: Self.chunk + TLSSession.extraBytes)
    }
    let before = outgoing.count
    // Taken out for the call, which changes the session beside them.
    var (come, room) = ([UInt8](), [UInt8]())
    swap(&come, &scratch)
    swap(&room, &plaintext)
    var place = room.mutableSpan
    var raw = unsafe place.mutableBytes
    let opened = unsafe session?.open(
      come.span.extracting(..<count).bytes, into: &raw, toSend: &outgoing)
    swap(&come, &scratch)
    swap(&room, &plaintext)
    guard let opened else { return nil }
    bytes += plaintext[..<opened.byteCount]
    // An alert, or what the protocol answers by itself. What does not go now goes with the next write.
    if outgoing.count > before { _ = try flush() }
    switch opened.outcome {
    case .goesOn: return nil
    case .ended:
      if opened.byteCount == 0 { throw .closed }
      return nil
    case .failed(let failure): return failure
    }
  }

  /// Encrypts the connection from here on, with the server `name`. Waits until `deadline` at most.
  mutating func encrypt(
    _ context: TLSContext, name: String, of address: RedisAddress, deadline: Deadline
  ) throws(RedisError) {
    do throws(TLSFailure) {
      session = .some(try TLSSession(connecting: context, to: name, toSend: &outgoing))
    } catch {
      throw .encryption(address, error)
    }
    var early: [UInt8] = []
    while session?.isEstablished == false {
      let isWritten = try flush()
      let events = isWritten ? PollEvents.input : PollEvents.inputAndOutput
      guard try ready(events, until: deadline) != 0 else {
        throw .encryption(address, TLSFailure(.timeout, "nothing within \(deadline.allowance)"))
      }
      guard let count = try take() else { continue }
      if let failure = try open(count, into: &early) { throw .encryption(address, failure) }
    }
    guard early.isEmpty else { throw .protocolViolation("a reply before any command") }
    _ = try flush()
  }

  /// Waits for the socket; its events, or 0 when the time is over.
  func ready(_ events: Int32, until deadline: Deadline) throws(RedisError) -> Int32 {
    while true {
      let left = deadline.millisecondsLeft
      var entry = pollfd(fd: descriptor, events: Int16(events), revents: 0)
      let count = unsafe poll(&entry, 1, left)
      if count > 0 { return Int32(entry.revents) }
      if count < 0 && errno != EINTR { throw .io(Self.message(for: errno)) }
      if count == 0 && left == 0 { return 0 }
    }
  }

  // MARK: - Connecting

  private static func tcp(
    _ host: String, _ port: UInt16, of address: RedisAddress
  ) throws(RedisError) -> RedisSocket {
    var hints = unsafe addrinfo()
    unsafe hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
    unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    let code = unsafe getaddrinfo(host, String(port), &hints, &list)
    defer { if unsafe list != nil { unsafe freeaddrinfo(list) } }
    guard code == 0, let entry = unsafe list else {
      throw .connect(address, reason: unsafe String(cString: gai_strerror(code)))
    }
    let socket = try made(unsafe entry.pointee.ai_family, of: address)
    let status = unsafe connect(
      socket.descriptor, entry.pointee.ai_addr, entry.pointee.ai_addrlen)
    try began(status, of: address)
    return socket
  }

  private static func unix(
    _ path: String, of address: RedisAddress
  ) throws(RedisError) -> RedisSocket {
    let socket = try made(AF_UNIX, of: address)
    var name = sockaddr_un()
    name.sun_family = sa_family_t(AF_UNIX)
    unsafe withUnsafeMutableBytes(of: &name.sun_path) { place in
      // The rest is zero: `ConnectTarget.complaint` has looked at the length.
      unsafe place.copyBytes(from: path.utf8.prefix(ConnectTarget.maximumPathLength))
    }
    let status = unsafe withUnsafePointer(to: &name) { pointer in
      unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        unsafe connect(socket.descriptor, pointer, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    try began(status, of: address)
    return socket
  }

  /// A socket that no other program which this process starts gets.
  private static func made(
    _ family: Int32, of address: RedisAddress
  ) throws(RedisError) -> RedisSocket {
    let kind =
      Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let descriptor = socket(family, kind, 0)
    guard descriptor >= 0 else { throw .connect(address, reason: message(for: errno)) }
    return RedisSocket(descriptor)
  }

  private static func began(_ status: Int32, of address: RedisAddress) throws(RedisError) {
    guard status != 0, errno != EINPROGRESS, errno != EINTR else { return }
    throw .connect(address, reason: message(for: errno))
  }

  /// Why the connect failed; nil: it did not.
  private func failure() -> String? {
    var code: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    let status = unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length)
    if status != 0 { return Self.message(for: errno) }
    return code == 0 ? nil : Self.message(for: code)
  }

  /// Sends at once, and notices within a minute that the other machine is gone.
  private func setTCPOptions() {
    let size = socklen_t(MemoryLayout<Int32>.size)
    for (level, option, value) in [
      (Int32(IPPROTO_TCP), TCP_NODELAY, 1), (SOL_SOCKET, SO_KEEPALIVE, 1),
      (Int32(IPPROTO_TCP), TCP_KEEPIDLE, 15), (Int32(IPPROTO_TCP), TCP_KEEPINTVL, 5),
      (Int32(IPPROTO_TCP), TCP_KEEPCNT, 3),
    ] {
      var value = Int32(value)
      // Refused ones cost time, not correctness.
      _ = unsafe setsockopt(descriptor, level, option, &value, size)
    }
  }

  private static func message(for code: Int32) -> String {
    guard let text = unsafe strerror(code) else { return "error \(code)" }
    return unsafe String(cString: text)
  }
}
