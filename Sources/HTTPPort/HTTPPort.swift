public import BudgetModel
import Foundation

/// Serves a site over HTTP/1.1 on a thread of its own.
public final class HTTPPort: Sendable {
  /// What was counted so far.
  public let counters: HTTPCounters
  private let inbox: HTTPInbox

  /// Begins to serve the connections of `listener`, a listening socket that the port owns from now
  /// on. `clock` tells the date of responses.
  ///
  /// Nil when the process is out of descriptors; the listener is closed then.
  public init?(
    adopting listener: Int32, site: any HTTPSite, bounds: HTTPBounds = .standard,
    counters: HTTPCounters = HTTPCounters(), clock: @escaping @Sendable () -> Timestamp
  ) {
    let listener = Descriptor(adopting: listener)
    guard let inbox = HTTPInbox() else { return nil }
    listener.setNonblocking()
    self.inbox = inbox
    self.counters = counters
    let number = listener.release()
    let thread = Thread {
      HTTPLoop(
        listener: Descriptor(adopting: number), site: site, bounds: bounds, inbox: inbox,
        counters: counters, clock: clock
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
