import BudgetEngine
public import BudgetModel
import BudgetWire
import Foundation
import LiteLLMConfig
public import Logging
import Synchronization
public import TCPTransport

/// The service as a whole: configuration, engine and RPC port, from start to drain.
public final class BudgetServer: Sendable {
  /// The version that Ping shows and `--version` prints.
  public static let version = "0.1.0"

  /// Where the RPC port listens, with the port that was taken.
  public var address: SocketAddress { transport.localAddress }
  /// What the request path met and went on from.
  public let counters: ServiceCounters
  /// What the connections did.
  public var transportCounters: TransportCounters { transport.counters }

  private let options: ServerOptions
  private let log: Logger
  private let time: any TimeSource
  private let engine: BudgetEngine
  private let transport: TCPServer
  /// One reload at a time.
  private let reloading = Mutex<Void>(())

  /// Reads the configuration and takes the port; serves from `start()` on.
  ///
  /// Throws where the configuration is refused, the address is no address or reaches other machines
  /// without leave, or the port is not to be had.
  public init(
    options: ServerOptions, log: Logger, time: any TimeSource = SystemTimeSource()
  ) throws(ServerError) {
    let address = try Self.address(options)
    let config = try ConfigSource(options).load()
    config.log(to: log, as: "loaded")
    let counters = ServiceCounters()
    let engine = BudgetEngine(configuration: config.accepted.budgets, at: time.now())
    let context = ServiceContext(
      engine: engine, time: time, bounds: options.wire,
      identity: NodeIdentity(
        version: Self.version, nodeID: options.nodeID ?? Self.randomNodeID(), durability: "none"),
      counters: counters)
    do {
      transport = try TCPServer(
        address: address, bounds: options.transport, lanes: options.laneCount, rest: options.rest
      ) { _, _ in BudgetService(context: context) }
    } catch {
      throw .unavailable(
        "cannot listen on \(options.listen): \(error); choose another with --listen, port 0 takes "
          + "a free one")
    }
    // A name may resolve to more than its text says.
    guard transport.localAddress.isLoopback || options.allowsInsecureNetwork else {
      throw Self.notLoopback(options.listen)
    }
    self.options = options
    self.log = log
    self.time = time
    self.engine = engine
    self.counters = counters
    if !transport.localAddress.isLoopback {
      log.warning(
        """
        listening on \(transport.localAddress), which other machines reach: nothing is encrypted or \
        authenticated (--insecure-network)
        """)
    }
    if transport.isDescriptorLimitTooLow {
      log.warning(
        """
        only \(transport.descriptorLimit) descriptors may be open, too few for \
        \(options.transport.connections) connections: raise the limit (ulimit -n), or lower \
        --max-connections
        """)
    }
  }

  /// Begins to accept connections.
  public func start() { transport.start() }

  /// Reads the configuration again and puts it in force as a whole; spend stays. A file that is
  /// refused leaves the old configuration in force, and the log says why.
  public func reload() {
    reloading.withLock { _ in
      do throws(ServerError) {
        let config = try ConfigSource(options).load()
        let report = engine.reload(config.accepted.budgets, at: time.now())
        config.log(to: log, as: "reloaded")
        LogText.write(report, to: log)
      } catch {
        log.error("reload refused, the configuration in force stays:")
        for line in error.description.split(separator: "\n") { log.error("  \(line)") }
      }
    }
  }

  /// Stops accepting, answers what has arrived and closes every connection, within `deadline`.
  /// Returns how many connections were cut off with something still under way.
  public func drain(within deadline: Duration) async -> Int {
    await transport.drain(within: deadline)
  }

  private static func address(_ options: ServerOptions) throws(ServerError) -> SocketAddress {
    let address: SocketAddress
    do throws(TransportError) {
      address = try SocketAddress(options.listen)
    } catch {
      throw .usage("--listen \(error)")
    }
    guard address.isLoopback || options.allowsInsecureNetwork else {
      throw notLoopback(options.listen)
    }
    return address
  }

  private static func notLoopback(_ listen: String) -> ServerError {
    .usage(
      "--listen \(listen) is not a loopback address and nothing here is encrypted or "
        + "authenticated: listen on 127.0.0.1, or say --insecure-network if the network is safe")
  }

  private static func randomNodeID() -> String {
    let text = String(UInt32.random(in: 0 ... .max), radix: 16)
    return String(repeating: "0", count: 8 - text.count) + text
  }
}
