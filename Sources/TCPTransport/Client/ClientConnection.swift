import BudgetModel
import Dispatch
import Glibc
public import Sockets
import TLS

/// An event of a client's connection.
public enum ClientEvent: Sendable {
  /// A whole frame's body, without its header.
  case frame([UInt8])
  /// The connection is over; nothing follows. `nil`: the server ended it between two frames, or
  /// `close` was called.
  case closed(TransportError?)
}

/// The bounds of a client's connection.
public struct ClientBounds: Equatable, Sendable {
  /// The longest frame that is let in; a longer one ends the connection.
  public var responseFrameBytes = 1024 * 1024
  /// Bytes waiting to be sent past which `send` waits.
  public var unsentBytes = 1024 * 1024
  /// How long all attempts to connect may take.
  public var connectDuration: Duration = .seconds(5)

  /// Makes the standard bounds, to be changed one by one.
  public init() {}
}

/// One connection to a server of length-prefixed frames, on a serial queue of its own.
///
/// Calls may come from anywhere. Events come in order, one at a time, on the connection's queue,
/// and must not block there. A connection stays open until either side closes it.
public actor ClientConnection {
  private static let receiveBytes = 64 * 1024

  private nonisolated let executor = DispatchExecutor(label: "budgetd.client")
  private let bounds: ClientBounds
  private let decoder: FrameDecoder
  private let onEvent: @Sendable (ClientEvent) -> Void
  private let scratch = ScratchBuffer(byteCount: receiveBytes)
  private var socket: Descriptor?
  /// Nil in the clear.
  private var session: TLSSession?
  private let plaintext: ScratchBuffer
  /// Resumed when the handshake is done or the connection over.
  private var handshake: CheckedContinuation<Void, Never>?
  /// Why the connection ended before its user was told that there is one.
  private var earlyEnd: TransportError?
  private var isAnnounced = false
  private var held: [UInt8] = []
  private var sendQueue = SendQueue()
  private var isClosed = false
  private var reader: (any DispatchSourceRead)?
  private var writer: (any DispatchSourceWrite)?
  private var isWriterActive = false
  private var sourcesLeft = 0
  private var waiting: [CheckedContinuation<Void, Never>] = []

  /// The connection's queue, as an executor.
  public nonisolated var unownedExecutor: UnownedSerialExecutor {
    unsafe executor.asUnownedSerialExecutor()
  }

  /// Connects to `address`, trying each address its name has, in order.
  ///
  /// `onEvent` gets every frame and then, once, the end.
  /// - Throws: `TransportError` when none answered within `bounds.connectDuration`.
  public static func connect(
    to address: Endpoint, bounds: ClientBounds = ClientBounds(),
    security: ClientSecurity? = nil, onEvent: @escaping @Sendable (ClientEvent) -> Void
  ) async throws(TransportError) -> ClientConnection {
    let connection = ClientConnection(
      bounds: bounds, isSecure: security != nil, onEvent: onEvent)
    try await connection.open(address, security)
    return connection
  }

  private init(
    bounds: ClientBounds, isSecure: Bool, onEvent: @escaping @Sendable (ClientEvent) -> Void
  ) {
    self.bounds = bounds
    plaintext = ScratchBuffer(
      byteCount: isSecure ? Self.receiveBytes + TLSSession.extraBytes : 0)
    self.onEvent = onEvent
    decoder = FrameDecoder(longestBody: bounds.responseFrameBytes)
  }

  /// Sends `frame`, header included; waits while more than the bound is unsent.
  ///
  /// Returning means that the frame was queued, not that it arrived. Frames of one task go in its
  /// order. A cancelled task still sends.
  /// - Returns: Whether it had to wait.
  /// - Throws: `TransportError.closed`; nothing of the frame was sent then.
  @discardableResult
  public func send(_ frame: [UInt8]) async throws(TransportError) -> Bool {
    var hasWaited = false
    while !isClosed, sendQueue.byteCount > bounds.unsentBytes {
      hasWaited = true
      await withCheckedContinuation { waiting.append($0) }
    }
    if isClosed { throw .closed }
    let isFirst = sendQueue.isEmpty
    if session != nil {
      var sealed: [UInt8] = []
      guard session?.seal(frame[...], toSend: &sealed) == true else { throw .closed }
      sendQueue.append(sealed[...])
    } else {
      sendQueue.append(frame[...])
    }
    if isFirst { flush() }
    return hasWaited
  }

  /// Ends the connection at once; what is unsent is lost. Calling it again does nothing.
  public func close() {
    if !isClosed { sayGoodbye() }
    end(nil)
  }

  /// Tells an encrypted server that this is no cut, as far as its socket takes it at once.
  private func sayGoodbye() {
    guard session?.isEstablished == true, sendQueue.isEmpty else { return }
    var goodbye: [UInt8] = []
    session?.end(toSend: &goodbye)
    switch socket {
    case .some(let socket): _ = socket.send(goodbye, from: 0)
    case .none: break
    }
  }

  private func open(
    _ address: Endpoint, _ security: ClientSecurity?
  ) async throws(TransportError) {
    let until = MonotonicInstant.now().advanced(by: bounds.connectDuration)
    var failure = SocketError.unresolvedHost(host: address.description, reason: "none found")
    let found = try TransportError.socket { () throws(SocketError) in
      try ResolvedAddress.all(of: address)
    }
    for (place, resolved) in found.enumerated() {
      let socket = try TransportError.socket { () throws(SocketError) in
        try Descriptor.streamSocket(family: resolved.family)
      }
      socket.disableDelay()
      var code = socket.connect(to: resolved)
      if code == EINPROGRESS {
        // One that takes no connections must not use up the time of those after it.
        let left = until.duration(since: .now()) / (found.count - place)
        guard await hasConnected(socket.number, within: left) else {
          failure = .connectTimedOut(address: address.description)
          continue
        }
        code = socket.pendingError()
      }
      guard code == 0 else {
        failure = .system(call: "connect", errno: code, address: address.description)
        continue
      }
      begin(socket)
      if let security {
        let left = until.duration(since: .now())
        try await secure(security, for: address, within: left)
      }
      isAnnounced = true
      // Frames that came in the meantime.
      deliverFrames()
      return
    }
    throw .socket(failure)
  }

  /// Does the handshake.
  private func secure(
    _ security: ClientSecurity, for address: Endpoint, within time: Duration
  ) async throws(TransportError) {
    var first: [UInt8] = []
    do throws(TLSFailure) {
      session = try TLSSession(
        connecting: security.context, to: security.serverName ?? address.address?.host ?? "",
        toSend: &first)
    } catch {
      end(.security(error))
      throw .security(error)
    }
    let timer = DispatchSource.makeTimerSource(queue: executor.queue)
    timer.setEventHandler {
      self.assumeIsolated { $0.end(.socket(.connectTimedOut(address: address.description))) }
    }
    timer.schedule(deadline: .now() + .nanoseconds(Int(max(0, time.nanoseconds))))
    await withCheckedContinuation { continuation in
      handshake = continuation
      timer.activate()
      sendQueue.append(first[...])
      flush()
    }
    timer.cancel()
    if let earlyEnd { throw earlyEnd }
  }

  /// Waits until the attempt on `number` came to an end; false when the time was over first.
  private func hasConnected(_ number: Int32, within time: Duration) async -> Bool {
    let queue = executor.queue
    let attempt = DispatchSource.makeWriteSource(fileDescriptor: number, queue: queue)
    let timer = DispatchSource.makeTimerSource(queue: queue)
    let nanoseconds = Int(max(0, time.nanoseconds))
    isAttemptDone = nil
    return await withCheckedContinuation { continuation in
      attempt.setEventHandler {
        self.assumeIsolated { $0.isAttemptDone = $0.isAttemptDone ?? true }
        attempt.cancel()
      }
      timer.setEventHandler {
        self.assumeIsolated { $0.isAttemptDone = $0.isAttemptDone ?? false }
        attempt.cancel()
      }
      // Only after this may the descriptor be closed.
      attempt.setCancelHandler {
        timer.cancel()
        continuation.resume(returning: self.assumeIsolated { $0.isAttemptDone ?? false })
      }
      timer.schedule(deadline: .now() + .nanoseconds(nanoseconds))
      attempt.activate()
      timer.activate()
    }
  }
  private var isAttemptDone: Bool?

  private func begin(_ socket: consuming Descriptor) {
    let number = socket.number
    self.socket = consume socket
    let reader = DispatchSource.makeReadSource(fileDescriptor: number, queue: executor.queue)
    let writer = DispatchSource.makeWriteSource(fileDescriptor: number, queue: executor.queue)
    reader.setEventHandler { self.assumeIsolated { $0.receive() } }
    writer.setEventHandler { self.assumeIsolated { $0.flush() } }
    reader.setCancelHandler { self.assumeIsolated { $0.sourceEnded() } }
    writer.setCancelHandler { self.assumeIsolated { $0.sourceEnded() } }
    sourcesLeft = 2
    self.reader = reader
    self.writer = writer
    reader.activate()
  }

  private func receive() {
    let transfer: Transfer
    switch socket {
    case .some(let socket): transfer = scratch.receive(from: socket, limit: Self.receiveBytes)
    case .none: return
    }
    switch transfer {
    case .bytes(let count):
      if session != nil {
        decrypt(count)
      } else {
        scratch.append(0..<count, to: &held)
        deliverFrames()
      }
    case .wouldBlock: break
    case .ended: end(held.isEmpty && handshake == nil ? nil : .closed)
    case .failed(let code): end(.system(call: "recv", errno: code, address: nil))
    }
  }

  private func decrypt(_ count: Int) {
    var toSend: [UInt8] = []
    let result = scratch.withBytes(0..<count) { ciphertext in
      plaintext.withMutableBytes { room in
        session?.open(ciphertext, into: &room, toSend: &toSend)
      }
    }
    guard let (opened, outcome) = result else { return }
    if !toSend.isEmpty {
      sendQueue.append(toSend[...])
      flush()
      if isClosed { return }
    }
    plaintext.append(0..<opened, to: &held)
    if session?.isEstablished == true { exchange(&handshake, with: nil)?.resume() }
    deliverFrames()
    switch outcome {
    case .goesOn: break
    case .ended: end(held.isEmpty ? nil : .closed)
    case .failed(let failure): end(.security(failure))
    }
  }

  private func deliverFrames() {
    guard isAnnounced else { return }
    var offset = 0
    while !isClosed {
      switch unsafe decoder.step(in: held.span.bytes, at: offset) {
      case .frame(let body):
        offset = body.upperBound
        onEvent(.frame(Array(held[body])))
      case .partial:
        held.removeFirst(offset)
        return
      case .tooLarge(let length):
        end(.frameTooLarge(length: length, bound: bounds.responseFrameBytes))
      }
    }
  }

  private func flush() {
    while !sendQueue.isEmpty {
      let (bytes, sent) = sendQueue.next
      let transfer: Transfer
      switch socket {
      case .some(let socket): transfer = socket.send(bytes, from: sent)
      case .none: return
      }
      switch transfer {
      case .bytes(let count): sendQueue.removeFirst(count)
      case .wouldBlock, .ended:
        watchForRoom(true)
        return
      case .failed(let code):
        end(.system(call: "send", errno: code, address: nil))
        return
      }
      if sendQueue.byteCount <= bounds.unsentBytes { wakeSenders() }
    }
    watchForRoom(false)
  }

  private func watchForRoom(_ isWanted: Bool) {
    guard isWanted != isWriterActive, let writer else { return }
    isWriterActive = isWanted
    if isWanted { writer.resume() } else { writer.suspend() }
  }

  private func wakeSenders() {
    for sender in exchange(&waiting, with: []) { sender.resume() }
  }

  private func end(_ error: TransportError?) {
    if isClosed { return }
    isClosed = true
    held = []
    sendQueue.removeAll()
    // A source that is suspended would never come to its end.
    watchForRoom(true)
    reader?.cancel()
    writer?.cancel()
    wakeSenders()
    earlyEnd = error ?? .closed
    exchange(&handshake, with: nil)?.resume()
    if isAnnounced { onEvent(.closed(error)) }
  }

  /// The descriptor closes when Dispatch is done with both sources.
  private func sourceEnded() {
    sourcesLeft -= 1
    guard sourcesLeft == 0 else { return }
    reader = nil
    writer = nil
    socket = nil
  }
}
