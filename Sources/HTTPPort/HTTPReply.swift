import Synchronization

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
    if isSent.exchange(true, ordering: .relaxed) { return }
    inbox.post(response, to: connection)
  }
}
