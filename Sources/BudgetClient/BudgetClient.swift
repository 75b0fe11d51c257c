import BudgetWire
import Dispatch
import Locks
package import Sockets
import Synchronization
package import TCPTransport

/// A client of budgetd: many calls at once over one connection.
///
/// Make one per server and share it: calls may come from any task, at any time, and are answered as
/// the server gets done with them. It connects when the first call needs it, and again after the
/// connection was lost: with growing, random waits when that fails. A call that meets a failed
/// attempt to connect ends at once; one that comes while the client waits for the next attempt
/// waits with it, within its timeout.
///
/// Every error says whether the request was applied: see `BudgetClientError`. Nothing that could be
/// counted twice is ever sent twice: a call that only reads is sent again, once, when its connection
/// was lost; a record only where the socket never had it.
///
/// The connection closes with `close`, or when the last reference to the client goes.
public final class BudgetClient: Sendable {
  /// The server, as `HOST:PORT` or `unix:PATH`.
  public var server: String { address.description }
  /// Whether the server's address can only be reached from this machine.
  public var isLoopback: Bool { address.isLocal }
  /// The settings that the client was made with.
  public let settings: BudgetClientSettings

  /// For modules of this package that open connections of their own, such as `LoadTest`.
  package let address: Endpoint
  package let security: ClientSecurity?
  private let nextTicket = Atomic<Call.Ticket>(1)
  private let timer = DispatchQueue(label: "budgetd.client.deadlines", qos: .userInitiated)
  private let state: Locked<State>

  private typealias Answer = Result<ResponseMessage, BudgetClientError>

  private struct State {
    var tracker: CallTracker
    var callers: [Call.Ticket: CheckedContinuation<Answer, Never>] = [:]
    var connections: [Int: ClientConnection] = [:]
  }

  /// A client of the server at `server`, `HOST:PORT` or `unix:PATH`; an IPv6 address stands in brackets.
  ///
  /// Does not connect: calls do. Throws `invalidAddress`.
  public init(
    server: String, settings: BudgetClientSettings = BudgetClientSettings()
  ) throws(BudgetClientError) {
    do throws(SocketError) {
      address = try Endpoint(server)
    } catch {
      throw .notApplied(.invalidAddress(error.description))
    }
    self.settings = settings
    let security = try settings.security.map { files throws(BudgetClientError) in
      ClientSecurity(try files.context(), serverName: files.serverName)
    }
    // Nothing that goes to a Unix socket crosses a network.
    self.security = address.address == nil ? nil : security
    state = Locked(State(tracker: CallTracker(bounds: settings.bounds)))
  }

  deinit {
    let connections = state.withLock { $0.connections }
    for connection in connections.values { Task { await connection.close() } }
  }

  /// Ends the connection and every call under way: `clientClosed`. Later calls end so too. Calling
  /// it again does nothing.
  public func close() {
    step { tracker, _ in tracker.close() }
  }

  /// Sends one request and waits for its answer, the deadline or the task's cancellation.
  func answer(
    to method: RequestMessage.Method, timeout: Duration?
  ) async throws(BudgetClientError) -> ResponseMessage {
    let timeout = timeout ?? settings.timeout
    let call = Call(
      method: method, timeout: timeout, deadline: MonotonicInstant.now().advanced(by: timeout))
    let ticket = nextTicket.wrappingAdd(1, ordering: .relaxed).oldValue
    let answer = await withTaskCancellationHandler {
      await withCheckedContinuation { caller in
        step(caller: (ticket, caller)) { tracker, now in tracker.begin(ticket, call, at: now) }
        // A cancellation before the call was known found nothing to cancel.
        if Task.isCancelled { cancel(ticket) }
      }
    } onCancel: {
      cancel(ticket)
    }
    return try answer.get()
  }

  private func cancel(_ ticket: Call.Ticket) {
    step { tracker, now in tracker.cancel(ticket, at: now) }
  }

  // MARK: - Effects

  /// Tells the tracker what happened and does what it wants done.
  private func step(
    caller: (ticket: Call.Ticket, continuation: CheckedContinuation<Answer, Never>)? = nil,
    _ change: (inout CallTracker, MonotonicInstant) -> [CallAction]
  ) {
    let now = MonotonicInstant.now()
    var ended: [(CheckedContinuation<Answer, Never>, Answer)] = []
    var closed: [ClientConnection] = []
    var left: [CallAction] = []
    state.withLock { state in
      if let caller { state.callers[caller.ticket] = caller.continuation }
      for action in change(&state.tracker, now) {
        switch action {
        case .finish(let ticket, let answer):
          if let caller = state.callers.removeValue(forKey: ticket) {
            ended.append((caller, answer))
          }
        case .disconnect(let generation):
          if let connection = state.connections.removeValue(forKey: generation) {
            closed.append(connection)
          }
        case .connect, .send, .wake: left.append(action)
        }
      }
    }
    for (caller, answer) in ended { caller.resume(returning: answer) }
    for connection in closed { Task { await connection.close() } }
    for action in left { perform(action, at: now) }
  }

  private func perform(_ action: CallAction, at now: MonotonicInstant) {
    switch action {
    case .connect(let generation, let wait):
      Task { [weak self] in
        // Cancelled by nobody; if it were, connecting early does no harm.
        if wait > .zero { try? await Task.sleep(for: wait) }
        await self?.connect(generation)
      }
    case .send(let generation):
      Task { [weak self] in await self?.send(generation) }
    case .wake(let instant):
      let nanoseconds = max(0, instant.nanoseconds - now.nanoseconds)
      let deadline = DispatchTime.now() + .nanoseconds(Int(nanoseconds))
      timer.asyncAfter(deadline: deadline) { [weak self] in
        self?.step { $0.timePassed(at: $1, fraction: .random(in: 0..<1)) }
      }
    case .finish, .disconnect: break
    }
  }

  private func connect(_ generation: Int) async {
    let introduction = settings.token.map { _ in Introduction() }
    let reader = ResponseReader(introduction)
    do throws(BudgetClientError) {
      let connection = try await connection { [weak self] event in
        self?.note(event, on: generation, reader)
      }
      if let introduction { try await introduce(connection, introduction) }
      state.withLock { $0.connections[generation] = connection }
      step { $0.connected(generation, at: $1) }
    } catch {
      let reason = error.reason
      step { $0.connectFailed(generation, reason, at: $1, fraction: .random(in: 0..<1)) }
    }
  }

  private func connection(
    _ onEvent: @escaping @Sendable (ClientEvent) -> Void
  ) async throws(BudgetClientError) -> ClientConnection {
    do throws(TransportError) {
      return try await ClientConnection.connect(
        to: address, security: security, onEvent: onEvent)
    } catch {
      throw .notApplied(.unreachable(server: address, error))
    }
  }

  /// Says who the client is, and waits until the server has taken it.
  private func introduce(
    _ connection: ClientConnection, _ introduction: Introduction
  ) async throws(BudgetClientError) {
    do throws(BudgetClientError) {
      let token = try settings.token?.revealed() ?? ""
      let frame = try Introduction.frame(token, timeout: settings.timeout)
      do throws(TransportError) {
        try await connection.send(frame)
      } catch {
        throw .notApplied(.lost(error))
      }
      try await introduction.outcome(within: settings.timeout).get()
    } catch {
      introduction.fail(error.reason)
      await connection.close()
      throw error
    }
  }

  private func note(_ event: ClientEvent, on generation: Int, _ reader: ResponseReader) {
    switch event {
    case .frame(let bytes):
      do throws(ResponseFault) {
        let response = try reader.response(in: bytes)
        if reader.introduction?.take(response) == true { return }
        step { $0.received(response, on: generation, at: $1, fraction: .random(in: 0..<1)) }
      } catch {
        reader.introduction?.fail(.unreadableAnswer(error.description))
        step {
          $0.unreadable(error.description, on: generation, at: $1, fraction: .random(in: 0..<1))
        }
      }
    case .closed(let error):
      reader.introduction?.fail(.lost(error))
      // One that was not welcome ends with its own reason.
      if reader.introduction?.isWelcome == false { return }
      step { $0.lost(generation, .lost(error), at: $1, fraction: .random(in: 0..<1)) }
      state.withLock { _ = $0.connections.removeValue(forKey: generation) }
    }
  }

  /// Sends batch after batch; there is one such task per connection at a time.
  private func send(_ generation: Int) async {
    guard let connection = state.withLock({ $0.connections[generation] }) else { return }
    while let batch = state.withLock({ $0.tracker.nextBatch(generation, at: .now()) }) {
      var bytes: [UInt8] = []
      for call in batch {
        do throws(WireFault) {
          try call.request.appendFrame(to: &bytes)
        } catch {
          step { $0.refuse(call.ticket, .unsendable(error), at: $1) }
        }
      }
      var isTaken = true
      do throws(TransportError) {
        if !bytes.isEmpty { try await connection.send(bytes) }
      } catch {
        isTaken = false
      }
      step {
        $0.batchEnded(generation, isTaken: isTaken, at: $1, fraction: .random(in: 0..<1))
      }
    }
  }
}

/// Reads the responses of one connection.
private final class ResponseReader: Sendable {
  /// Nil: the client does not say who it is.
  let introduction: Introduction?
  private let decoder = Locked(ResponseDecoder())

  init(_ introduction: Introduction?) { self.introduction = introduction }

  func response(in bytes: [UInt8]) throws(ResponseFault) -> ResponseMessage {
    try decoder.withLock { (decoder) throws(ResponseFault) in
      try decoder.response(frame: bytes.span)
    }
  }
}
