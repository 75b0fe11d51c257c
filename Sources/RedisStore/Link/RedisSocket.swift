import Glibc
import Sockets
import TLS

/// The owner of one socket to Redis, which never blocks: bytes out and in, as far as they go.
///
/// If the connection is encrypted, plaintext comes in and goes out here, and ciphertext is what the
/// socket sees. Bytes that are to go out are queued here. Whoever waits for the socket polls it, so that all waits
/// together have one deadline.
struct RedisSocket: ~Copyable {
  private let descriptor: Descriptor
  /// Bytes on their way out, and how many of them have gone.
  private var outgoing: [UInt8] = []
  private var gone = 0
  private let scratch = ScratchBuffer(byteCount: RedisSocket.chunk)
  /// Nil: in the clear.
  private var session: TLSSession?
  private var plaintext: [UInt8] = []

  /// Bytes that one read takes at most.
  private static let chunk = 65_536

  private init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }

  /// A connection to one address in numbers, or to a path. Waits until `deadline` at most.
  static func connected(
    to target: Endpoint, of address: RedisAddress, deadline: Deadline
  ) throws(RedisError) -> RedisSocket {
    let socket: RedisSocket
    do throws(SocketError) {
      guard let resolved = try ResolvedAddress.all(of: target).first else { throw .unreachable }
      let descriptor = try Descriptor.streamSocket(family: resolved.family)
      let code = descriptor.connect(to: resolved)
      guard code == 0 || code == EINPROGRESS else {
        throw .system(call: "connect", errno: code, address: nil)
      }
      socket = RedisSocket(descriptor)
    } catch {
      throw .connect(address, reason: error.reason)
    }
    guard try socket.ready(PollSet.writable, until: deadline) != 0 else {
      throw .connectTimedOut(address, deadline.allowance)
    }
    let code = socket.descriptor.pendingError()
    guard code == 0 else { throw .connect(address, reason: SystemCalls.message(for: code)) }
    if target.address != nil {
      // Sends at once, and notices within a minute that the other machine is gone.
      socket.descriptor.disableDelay()
      socket.descriptor.keepAlive()
    }
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
      switch descriptor.send(outgoing, from: gone) {
      case .bytes(let count): gone += count
      case .wouldBlock: return false
      case .ended: throw .closed
      case .failed(let code): throw .io(lastWords() ?? SystemCalls.message(for: code))
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
      scratch.append(0..<count, to: &bytes)
      return true
    }
    if let failure = try open(count, into: &bytes) { throw .io(failure.sentence) }
    return true
  }

  /// Reads what has come into `scratch`; nil: nothing was there.
  private mutating func take() throws(RedisError) -> Int? {
    switch scratch.receive(from: descriptor, limit: Self.chunk) {
    case .bytes(let count): return count
    case .wouldBlock: return nil
    case .ended: throw .closed
    case .failed(let code): throw .io(SystemCalls.message(for: code))
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
    // Taken out for the call, which changes the session beside it.
    var room: [UInt8] = []
    swap(&room, &plaintext)
    var place = room.mutableSpan
    var raw = unsafe place.mutableBytes
    let opened = scratch.withBytes(0..<count) { come in
      session?.open(come, into: &raw, toSend: &outgoing)
    }
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
      let events = PollSet.readable | (isWritten ? 0 : PollSet.writable)
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
  func ready(_ events: Int16, until deadline: Deadline) throws(RedisError) -> Int16 {
    while true {
      let left = deadline.millisecondsLeft
      var set = PollSet()
      set.append(descriptor, events: events)
      set.wait(milliseconds: left)
      if set.events(at: 0) != 0 { return set.events(at: 0) }
      if left == 0 { return 0 }
    }
  }
}

extension SocketError {
  /// An endpoint that has no address at all.
  fileprivate static var unreachable: SocketError {
    .unresolvedHost(host: "", reason: "there is no address")
  }

  /// The reason alone, for a sentence that names the address itself.
  var reason: String {
    switch self {
    case .unresolvedHost(_, let reason): reason
    case .system(_, let code, _): SystemCalls.message(for: code)
    default: description
    }
  }
}
