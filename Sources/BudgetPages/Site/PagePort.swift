import BudgetEngine
import BudgetModel
public import HTTPPort

/// The HTTP port with its pages, for as long as this object lives.
public final class PagePort: Sendable {
  private let port: HTTPPort
  private let sampling: SpendSampling

  /// Begins to serve the connections of `listener`, a listening socket that the port owns from now
  /// on. Nil when the process is out of descriptors; the listener is closed then.
  public init?(adopting listener: Int32, _ sources: PageSources, bounds: HTTPBounds) {
    sampling = SpendSampling(sources)
    let port = HTTPPort(
      adopting: listener, site: PageSite(sources, sampler: sampling), bounds: bounds,
      counters: sources.http, clock: { [time = sources.time] in time.now() })
    guard let port else { return nil }
    self.port = port
    sampling.start()
  }

  /// These slots belong to other budgets now.
  public func reloaded(reusedSlots: [Int32]) { sampling.forget(reusedSlots) }

  /// Closes the port.
  public func stop() { port.stop() }
}
