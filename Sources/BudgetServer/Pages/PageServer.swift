import BudgetEngine
import BudgetModel
import HTTPPort
import TCPTransport

/// The HTTP port with its pages, for as long as this object lives.
final class PageServer: Sendable {
  /// Where it listens, with the port that was taken.
  let address: SocketAddress
  private let port: HTTPPort
  private let sampling: SpendSampling

  /// Throws where the options ask for what cannot be.
  static func check(_ options: ServerOptions) throws(ServerError) { _ = try address(options) }

  private static func address(_ options: ServerOptions) throws(ServerError) -> SocketAddress? {
    guard let text = options.http else { return nil }
    return try ListenAddress.parsed(
      text, of: "--http", allowsInsecureNetwork: options.allowsInsecureNetwork)
  }

  /// Listens where the options say; nil where they ask for no pages.
  static func listener(_ options: ServerOptions) throws(ServerError) -> ListeningSocket? {
    guard let address = try address(options) else { return nil }
    let listener: ListeningSocket
    do throws(TransportError) {
      listener = try ListeningSocket(address)
    } catch {
      throw .unavailable(
        "cannot listen on \(address): \(error); choose another with --http, port 0 takes a free one, "
          + "off is for none")
    }
    // A name may resolve to more than its text says.
    guard listener.localAddress.isLoopback || options.allowsInsecureNetwork else {
      throw ListenAddress.notLoopback(address.description, of: "--http")
    }
    return listener
  }

  /// Begins to serve.
  init(_ listener: consuming ListeningSocket, _ sources: PageSources) throws(ServerError) {
    address = listener.localAddress
    sampling = SpendSampling(
      engine: sources.engine, requests: sources.requests, time: sources.time)
    let port = HTTPPort(
      adopting: listener.release(), site: PageSite(sources, sampler: sampling),
      bounds: Self.bounds(sources.transport), counters: sources.http,
      clock: { [time = sources.time] in time.now() })
    guard let port else {
      throw .unavailable("no descriptors are left for the HTTP port: raise the limit (ulimit -n)")
    }
    self.port = port
    sampling.start()
  }

  /// The bounds as documented, less where the process has less: pages take no more memory than RPC
  /// connections may, and leave descriptors to the ledger.
  private static func bounds(_ transport: TCPServer) -> HTTPBounds {
    var bounds = HTTPBounds.standard
    bounds.unsentBytes = min(bounds.unsentBytes, transport.bounds.unsentTotalBytes)
    bounds.connections = min(bounds.connections, max(8, transport.descriptorLimit / 8))
    return bounds
  }

  /// The configuration is another: these slots belong to other budgets now.
  func reloaded(_ report: ReloadReport) { sampling.forget(report.reusedSlots) }

  /// Closes the port.
  func stop() { port.stop() }
}
