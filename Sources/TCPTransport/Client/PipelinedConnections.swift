import BudgetModel
import Glibc
public import Sockets

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

    init(_ socket: consuming Descriptor) { self.socket = socket }
  }

  private static let receiveBytes = 256 * 1024

  private let address: SocketAddress
  private let poller: Poller
  private let scratch = ScratchBuffer(byteCount: receiveBytes)
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
    to address: SocketAddress, count: Int, bounds: ClientBounds = ClientBounds(),
    greeting: Greeting? = nil
  ) throws(TransportError) {
    self.address = address
    poller = try TransportError.socket { () throws(SocketError) in try Poller() }
    decoder = FrameDecoder(longestBody: bounds.responseFrameBytes)
    let until = MonotonicInstant.now().advanced(by: bounds.connectDuration)
    let resolved = try TransportError.socket { () throws(SocketError) in
      try ResolvedAddress.all(of: address)
    }
    _ = SystemCalls.raiseDescriptorLimit(to: count + 64)
    for _ in 0..<count {
      peers.append(try connected(to: resolved, until: until))
      if let greeting { try greet(peers.count - 1, greeting, until: until) }
    }
  }

  /// Sends the greeting on the connection that came last; the others say nothing yet.
  private func greet(
    _ index: Int, _ greeting: Greeting, until: MonotonicInstant
  ) throws(TransportError) {
    let peer = peers[index]
    peer.unsent.append(greeting.frame[...])
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
      case .bytes(let count): scratch.append(0..<count, to: &peer.held)
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
      if peer.held.isEmpty {
        let used = try scratch.withBytes(0..<count) { bytes throws(TransportError) in
          try deliver(bytes, from: index, &driver, at: now)
        }
        scratch.append(used..<count, to: &peer.held)
      } else {
        scratch.append(0..<count, to: &peer.held)
        let used = try deliver(unsafe peer.held.span.bytes, from: index, &driver, at: now)
        peer.held.removeFirst(used)
      }
      try fill(index, &driver, &output, at: now)
    case .wouldBlock: break
    case .ended: throw .closed
    case .failed(let code):
      throw .system(call: "recv", errno: code, address: address.description)
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
