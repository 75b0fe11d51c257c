import BudgetEngine
import BudgetModel
public import HTTPPort
public import Sockets
public import TLS

/// The HTTP port with its pages, for as long as this object lives.
public final class PagePort: Sendable {
  private let port: HTTPPort

  /// Begins to serve the connections of `listener`, a listening socket that the port owns from now
  /// on; `security` tells the certificates of the next connection, nil: they are in the clear. Nil when the process is out of descriptors; the listener is closed then.
  public init?(
    adopting listener: consuming Descriptor, _ sources: PageSources, bounds: HTTPBounds,
    security: (@Sendable () -> TLSContext)? = nil
  ) {
    var bounds = bounds
    bounds.formPath = PageSite.Path.change.rawValue
    let port = HTTPPort(
      adopting: listener, site: PageSite(sources), bounds: bounds,
      counters: sources.http, security: security, clock: { [time = sources.time] in time.now() })
    guard let port else { return nil }
    self.port = port
  }

  /// Closes the port.
  public func stop() { port.stop() }
}
