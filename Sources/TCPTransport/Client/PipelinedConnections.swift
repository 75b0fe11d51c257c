import BudgetModel
import Glibc
public import Sockets
import TLS

/// The one who makes the requests and counts the replies of `PipelinedConnections`.
public protocol PipelineDriver {
  /// Appends requests, whole frames with their headers, until as many are under way on `connection`
  /// as there should be, or none where nothing more is to be sent.
  mutating func fill(connection: Int, output: inout [UInt8], at now: MonotonicInstant)

  /// Takes one reply, a frame's body, valid during the call.
  mutating func take(_ reply: RawSpan, from connection: Int, at now: MonotonicInstant)

  /// Whether all is done: asked after each batch of replies.
  mutating func isDone(at now: MonotonicInstant) -> Bool
}

/// Many connections to one server, served by the calling thread and kept full of requests: the
/// client of a load test, which must cost less than the server that it measures.
public final class PipelinedConnections {
  private final class Peer {
    let socket: Descriptor
    /// Received bytes that are not a whole frame yet.
    var held: [UInt8] = []
    var unsent = SendQueue()
    /// Nil in the clear.
    var session: TLSSession?

    init(_ socket: consuming Descriptor) {
      self.socket = socket
      session = nil
    }
  }

  private static let receiveBytes = 256 * 1024

  private let address: Endpoint
  private let poller: Poller
  private let scratch = ScratchBuffer(byteCount: receiveBytes)
  /// Decrypted bytes; of no size in the clear.
  private let plaintext: ScratchBuffer
  private let decoder: FrameDecoder
  private var peers: [Peer] = []

  /// The first frame of each connection, and why its answer is not a welcome.
  public struct Greeting {
    let frame: [UInt8]
    let complaint: ([UInt8]) -> String?

    /// A greeting whose answer `complaint` judges: nil where it is a welcome.
    public init(frame: [UInt8], complaint: @escaping ([UInt8]) -> String?) {
      self.frame = frame
      self.complaint = complaint
    }
  }

  /// Connects `count` times to `address`, all within `bounds.connectDuration`; each connection says
  /// `greeting` first, and waits for its answer.
  public init(
    to address: Endpoint, count: Int, bounds: ClientBounds = ClientBounds(),
    security: ClientSecurity? = nil, greeting: Greeting? = nil
  ) throws(TransportError) {
    self.address = address
    plaintext = ScratchBuffer(
      byteCount: security == nil ? 0 : Self.receiveBytes + TLSSession.extraBytes)
    poller = try TransportError.socket { () throws(SocketError) in try Poller() }
    decoder = FrameDecoder(longestBody: bounds.responseFrameBytes)
    let until = MonotonicInstant.now().advanced(by: bounds.connectDuration)
    let resolved = try TransportError.socket { () throws(SocketError) in
      try ResolvedAddress.all(of: address)
    }
    _ = SystemCalls.raiseDescriptorLimit(to: count + 64)
    for _ in 0..<count {
      let peer = try connected(to: resolved, until: until)
      if let security { try secure(peer, security, until: until) }
      peers.append(peer)
      if let greeting { try greet(peers.count - 1, greeting, until: until) }
    }
  }

  /// Sends the greeting on the connection that came last; the others say nothing yet.
  private func greet(
    _ index: Int, _ greeting: Greeting, until: MonotonicInstant
  ) throws(TransportError) {
    let peer = peers[index]
    var frame = greeting.frame
    try seal(&frame, for: peer)
    peer.unsent.append(frame[...])
    try flush(index)
    while true {
      if case .frame(let body) = unsafe decoder.step(in: peer.held.span.bytes, at: 0) {
        let complaint = greeting.complaint(Array(peer.held[body]))
        if let complaint { throw .notIntroduced(reason: complaint) }
        peer.held.removeFirst(body.upperBound)
        return
      }
      let left = until.duration(since: .now()).nanoseconds / 1_000_000
      guard left > 0, poller.take(waitingMilliseconds: Int32(clamping: left)) > 0 else {
        throw .socket(.connectTimedOut(address: address.description))
      }
      switch scratch.receive(from: peer.socket, limit: Self.receiveBytes) {
      case .bytes(let count):
        if peer.session != nil {
          plaintext.append(0..<(try open(count, of: peer)), to: &peer.held)
        } else {
          scratch.append(0..<count, to: &peer.held)
        }
      case .wouldBlock: break
      case .ended: throw .closed
      case .failed(let code):
        throw .system(call: "recv", errno: code, address: address.description)
      }
    }
  }

  private func connected(
    to addresses: [ResolvedAddress], until: MonotonicInstant
  ) throws(TransportError) -> Peer {
    var failure = SocketError.connectTimedOut(address: address.description)
    for resolved in addresses {
      let socket = try TransportError.socket { () throws(SocketError) in
        try Descriptor.streamSocket(family: resolved.family)
      }
      socket.disableDelay()
      var code = socket.connect(to: resolved)
      let token = UInt64(peers.count)
      guard poller.add(socket, events: Poller.writable, token: token) else {
        throw .system(call: "epoll_ctl", errno: ENOSPC, address: nil)
      }
      while code == EINPROGRESS {
        let left = until.duration(since: .now()).nanoseconds / 1_000_000
        if left <= 0 { break }
        // The others say nothing before they are asked something.
        if poller.take(waitingMilliseconds: Int32(clamping: left)) > 0 {
          code = socket.pendingError()
        }
      }
      if code == 0 {
        poller.modify(socket, events: Poller.readable, token: token)
        return Peer(socket)
      }
      if code != EINPROGRESS {
        failure = .system(call: "connect", errno: code, address: address.description)
      }
    }
    throw .socket(failure)
  }

  /// Does a handshake, waiting for it.
  private func secure(
    _ peer: Peer, _ security: ClientSecurity, until: MonotonicInstant
  ) throws(TransportError) {
    var toSend: [UInt8] = []
    do throws(TLSFailure) {
      peer.session = try TLSSession(
        connecting: security.context, to: security.serverName ?? address.address?.host ?? "",
        toSend: &toSend)
    } catch {
      throw .security(error)
    }
    while true {
      var sent = 0
      while sent < toSend.count {
        guard case .bytes(let count) = peer.socket.send(toSend, from: sent) else { throw .closed }
        sent += count
      }
      toSend = []
      if peer.session?.isEstablished == true { return }
      let left = until.duration(since: .now()).nanoseconds / 1_000_000
      var set = PollSet()
      set.append(peer.socket, events: PollSet.readable)
      set.wait(milliseconds: Int32(clamping: max(0, left)))
      switch scratch.receive(from: peer.socket, limit: Self.receiveBytes) {
      case .bytes(let count):
        let outcome = scratch.withBytes(0..<count) { ciphertext in
          plaintext.withMutableBytes { room in
            peer.session?.open(ciphertext, into: &room, toSend: &toSend).outcome
          }
        }
        if case .failed(let failure)? = outcome { throw .security(failure) }
      case .wouldBlock:
        if left <= 0 { throw .socket(.connectTimedOut(address: address.description)) }
      case .ended, .failed: throw .closed
      }
    }
  }

  /// Sends and receives until `driver` is done.
  ///
  /// Throws where a connection ends, a reply is too long, or for `patience` nothing comes.
  public func run(
    _ driver: inout some PipelineDriver, patience: Duration
  ) throws(TransportError) {
    var output: [UInt8] = []
    for index in peers.indices { try fill(index, &driver, &output, at: .now()) }
    let wait = Int32(clamping: patience.nanoseconds / 1_000_000)
    while !driver.isDone(at: .now()) {
      let count = poller.take(waitingMilliseconds: wait)
      if count == 0 { throw .silent(address: address.description, for: patience) }
      for entry in 0..<count {
        let (token, events) = poller.entry(entry)
        let index = Int(token)
        if events & Poller.writable != 0 { try flush(index) }
        if events & (Poller.readable | Poller.broken) != 0 {
          try receive(index, &driver, &output)
        }
      }
    }
  }

  private func receive(
    _ index: Int, _ driver: inout some PipelineDriver, _ output: inout [UInt8]
  ) throws(TransportError) {
    let peer = peers[index]
    switch scratch.receive(from: peer.socket, limit: Self.receiveBytes) {
    case .bytes(let count):
      let now = MonotonicInstant.now()
      if peer.session != nil {
        let opened = try open(count, of: peer)
        try take(opened, in: plaintext, from: index, &driver, at: now)
      } else {
        try take(count, in: scratch, from: index, &driver, at: now)
      }
      try fill(index, &driver, &output, at: now)
    case .wouldBlock: break
    case .ended: throw .closed
    case .failed(let code):
      throw .system(call: "recv", errno: code, address: address.description)
    }
  }

  /// Encrypts `bytes` in their place where the connection is encrypted.
  private func seal(_ bytes: inout [UInt8], for peer: Peer) throws(TransportError) {
    guard peer.session != nil else { return }
    var sealed: [UInt8] = []
    guard peer.session?.seal(bytes[...], toSend: &sealed) == true else { throw .closed }
    bytes = sealed
  }

  /// Decrypts the first `count` bytes received, and says how many they make.
  private func open(_ count: Int, of peer: Peer) throws(TransportError) -> Int {
    var toSend: [UInt8] = []
    let result = scratch.withBytes(0..<count) { ciphertext in
      plaintext.withMutableBytes { room in
        peer.session?.open(ciphertext, into: &room, toSend: &toSend)
      }
    }
    guard let (opened, outcome) = result else { throw .closed }
    peer.unsent.append(toSend[...])
    switch outcome {
    case .goesOn: return opened
    case .ended: throw .closed
    case .failed(let failure): throw .security(failure)
    }
  }

  private func take(
    _ count: Int, in buffer: borrowing ScratchBuffer, from index: Int,
    _ driver: inout some PipelineDriver, at now: MonotonicInstant
  ) throws(TransportError) {
    let peer = peers[index]
    if peer.held.isEmpty {
      let used = try buffer.withBytes(0..<count) { bytes throws(TransportError) in
        try deliver(bytes, from: index, &driver, at: now)
      }
      buffer.append(used..<count, to: &peer.held)
    } else {
      buffer.append(0..<count, to: &peer.held)
      let used = try deliver(unsafe peer.held.span.bytes, from: index, &driver, at: now)
      peer.held.removeFirst(used)
    }
  }

  private func deliver(
    _ bytes: RawSpan, from index: Int, _ driver: inout some PipelineDriver,
    at now: MonotonicInstant
  ) throws(TransportError) -> Int {
    var offset = 0
    while true {
      switch decoder.step(in: bytes, at: offset) {
      case .frame(let body):
        driver.take(bytes.extracting(body), from: index, at: now)
        offset = body.upperBound
      case .partial: return offset
      case .tooLarge(let length):
        throw .frameTooLarge(length: length, bound: decoder.longestBody)
      }
    }
  }

  private func fill(
    _ index: Int, _ driver: inout some PipelineDriver, _ output: inout [UInt8],
    at now: MonotonicInstant
  ) throws(TransportError) {
    output.removeAll(keepingCapacity: true)
    driver.fill(connection: index, output: &output, at: now)
    if output.isEmpty { return }
    let peer = peers[index]
    try seal(&output, for: peer)
    var sent = 0
    if peer.unsent.isEmpty {
      switch peer.socket.send(output, from: 0) {
      case .bytes(let count): sent = count
      case .wouldBlock, .ended: break
      case .failed(let code):
        throw .system(call: "send", errno: code, address: address.description)
      }
      if sent == output.count { return }
      poller.modify(
        peer.socket, events: Poller.readable | Poller.writable, token: UInt64(index))
    }
    peer.unsent.append(output[sent...])
  }

  private func flush(_ index: Int) throws(TransportError) {
    let peer = peers[index]
    while !peer.unsent.isEmpty {
      let (bytes, sent) = peer.unsent.next
      switch peer.socket.send(bytes, from: sent) {
      case .bytes(let count): peer.unsent.removeFirst(count)
      case .wouldBlock, .ended: return
      case .failed(let code):
        throw .system(call: "send", errno: code, address: address.description)
      }
    }
    poller.modify(peer.socket, events: Poller.readable, token: UInt64(index))
  }
}
