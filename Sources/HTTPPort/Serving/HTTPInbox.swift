import Locks
import Sockets

/// Names a connection of a port; never reused within 2^63 connections.
struct HTTPConnectionID: Hashable, Sendable {
  let slot: Int
  let generation: Int
}

/// Mail from other threads to the port's thread. Posting costs a short lock and a ring.
final class HTTPInbox: Sendable {
  struct Answer {
    let connection: HTTPConnectionID
    let response: HTTPResponse
    /// How long it waits before it goes out.
    let delay: Duration
  }

  struct Mail {
    var answers: [Answer] = []
    var mustStop = false
  }

  private struct State {
    var mail = Mail()
    var isClosed = false
  }

  let wakeup: Wakeup
  private let state = Locked(State())

  init?() {
    do throws(SocketError) {
      wakeup = try Wakeup()
    } catch {
      return nil
    }
  }

  func post(
    _ response: HTTPResponse, to connection: HTTPConnectionID, after delay: Duration = .zero
  ) {
    let answer = Answer(connection: connection, response: response, delay: delay)
    let isTaken = state.withLock { state in
      if state.isClosed { return false }
      state.mail.answers.append(answer)
      return true
    }
    if isTaken { wakeup.ring() }
  }

  func stop() {
    state.withLock { $0.mail.mustStop = true }
    wakeup.ring()
  }

  func take() -> Mail {
    wakeup.silence()
    return state.withLock { state in
      defer { state.mail.answers = [] }
      return state.mail
    }
  }

  /// Lets nothing more in: answers hold memory.
  func close() {
    state.withLock { state in
      state.isClosed = true
      state.mail.answers = []
    }
  }
}
