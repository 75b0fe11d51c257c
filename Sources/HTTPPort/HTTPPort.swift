public import BudgetModel
import Foundation
public import Sockets
import Synchronization
public import TLS

/// Serves a site over HTTP/1.1 on a thread of its own.
public final class HTTPPort: Sendable {
  /// The counters.
  public let counters: HTTPCounters
  private let inbox: HTTPInbox

  /// Begins to serve the connections of `listener`, a listening socket that the port owns from now
  /// on. `clock` tells the date of responses. `security` tells the certificates and rules of the next
  /// connection; nil: connections are in the clear.
  ///
  /// Nil when the process is out of descriptors; the listener is closed then.
  public init?(
    adopting listener: consuming Descriptor, site: any HTTPSite, bounds: HTTPBounds = .standard,
    counters: HTTPCounters = HTTPCounters(), security: (@Sendable () -> TLSContext)? = nil,
    clock: @escaping @Sendable () -> Timestamp
  ) {
    guard let inbox = HTTPInbox() else { return nil }
    self.inbox = inbox
    self.counters = counters
    let number = listener.release()
    let thread = Thread {
      HTTPLoop(
        listener: Descriptor(adopting: number), site: site, bounds: bounds, inbox: inbox,
        counters: counters, security: security, clock: clock
      ).run()
    }
    thread.name = "http"
    thread.start()
  }

  deinit { inbox.stop() }

  /// Stops accepting and closes every connection, those with a response under way half a second
  /// later at the most. Does not wait for it.
  public func stop() { inbox.stop() }
}

/// Who answers the requests of a port.
public protocol HTTPSite: Sendable {
  /// Answers `request` by `reply`, at once or later, from any thread. Called on the port's thread:
  /// it must not wait, since no other connection is served meanwhile.
  func answer(_ request: HTTPRequest, _ reply: HTTPReply)

  /// A response begins to go out; `path` is nil where no request could be read. Called on the
  /// port's thread.
  func answered(path: String?, status: HTTPStatus)
}

/// The right to answer one request. Whoever lets it go without an answer has the port say 500.
public final class HTTPReply: Sendable {
  private let inbox: HTTPInbox
  private let connection: HTTPConnectionID
  private let isSent = Atomic<Bool>(false)

  init(inbox: HTTPInbox, connection: HTTPConnectionID) {
    self.inbox = inbox
    self.connection = connection
  }

  deinit {
    if !isSent.load(ordering: .relaxed) {
      inbox.post(
        .text("the page did not answer", status: .internalServerError), to: connection)
    }
  }

  /// Sends the answer, from any thread. Only the first one counts; where the connection is gone,
  /// none.
  public func send(_ response: HTTPResponse) {
    refuse(response, after: .zero)
  }

  /// The same, `delay` from now. While it waits its connection makes room for the next as soon as all
  /// are taken, without an answer then: that tells a guesser nothing sooner, and keeps no probe out.
  public func refuse(_ response: HTTPResponse, after delay: Duration) {
    if isSent.exchange(true, ordering: .relaxed) { return }
    inbox.post(response, to: connection, after: delay)
  }
}
