import BudgetEngine
public import BudgetModel
import BudgetWire
import Foundation
import HTTPPort
import LiteLLMConfig
import Locks
public import Logging
import SpendLedger
public import TCPTransport

/// The service as a whole: configuration, engine and RPC port, from start to drain.
public final class BudgetServer: Sendable {
  /// The version that Ping shows and `--version` prints.
  public static let version = "0.1.0"

  /// Where the RPC port listens, with the port that was taken.
  public var address: SocketAddress { transport.localAddress }
  /// Where the HTTP port listens, with the port that was taken; nil: nowhere.
  public var httpAddress: SocketAddress? { http?.address }
  /// What the request path met and went on from.
  public let counters: ServiceCounters
  /// What the connections did.
  public var transportCounters: TransportCounters { transport.counters }

  private let options: ServerOptions
  private let log: Logger
  private let time: any TimeSource
  private let engine: BudgetEngine
  private let recorder: LedgerRecorder
  private let transport: TCPServer
  private let readiness: Readiness
  private let config: ConfigState
  private let http: PageServer?
  /// One reload at a time.
  private let reloading = Locked<Void>(())

  /// Reads the configuration, opens the ledger, restores what it knows, and takes the port; serves
  /// from `start()` on. `time` replaces the system's clocks, for tests.
  ///
  /// Throws where the configuration is refused, the address is no address or reaches other machines
  /// without leave, or the data directory or the port is not to be had.
  public init(
    options: ServerOptions, log: Logger, time: (any TimeSource)? = nil
  ) throws(ServerError) {
    let address = try ListenAddress.parsed(
      options.listen, of: "--listen", allowsInsecureNetwork: options.allowsInsecureNetwork)
    try PageServer.check(options)
    let config = try ConfigSource(options).load()
    var pageListener = try PageServer.listener(options)
    let settings = LedgerSettings(directory: options.dataDirectory)
    let ledger = try Self.ledger(settings)
    let opening = ledger.opening
    let time = time ?? SystemTimeSource(startingAt: opening.time.time)
    let now = time.now()
    let engine = BudgetEngine(restoring: LedgerSync.windows(opening))
    let requests = RequestCounters()
    let recorder = LedgerRecorder(
      engine: engine, ledger: ledger, queueBound: settings.queueRecordBound, time: time,
      durability: options.durability, bounds: options.wire, requests: requests, log: log)
    ledger.start(recorder)
    let report = engine.reload(config.accepted.budgets, at: now)
    LedgerSync.write(report, to: ledger, at: now)
    // A crash in the next moment must find the windows as they are now.
    ledger.settle()
    let counters = ServiceCounters()
    let readiness = Readiness(recorder: recorder)
    let identity = NodeIdentity(
      version: Self.version, nodeID: options.nodeID ?? opening.nodeID)
    let context = ServiceContext(
      engine: engine, time: time, recorder: recorder, bounds: options.wire, identity: identity,
      counters: counters, requests: requests, readiness: readiness)
    do throws(TransportError) {
      transport = try TCPServer(
        address: address, bounds: options.transport, lanes: options.laneCount, rest: options.rest
      ) { _, _ in BudgetService(context: context) }
    } catch {
      ledger.close()
      throw .unavailable(
        "cannot listen on \(options.listen): \(error); choose another with --listen, port 0 takes "
          + "a free one")
    }
    // A name may resolve to more than its text says.
    guard transport.localAddress.isLoopback || options.allowsInsecureNetwork else {
      ledger.close()
      throw ListenAddress.notLoopback(options.listen, of: "--listen")
    }
    // What is refused says so in one line; what starts says what it found.
    config.log(to: log, as: "loaded")
    LedgerSync.log(opening, directory: options.dataDirectory, at: now, to: log)
    LogText.writeWindows(report, to: log)
    recorder.connect(to: transport.replies)
    self.config = ConfigState(path: options.configPath, acceptedAt: now)
    self.readiness = readiness
    if let listener = pageListener.take() {
      let sources = PageSources(
        engine: engine, recorder: recorder, time: time, transport: transport, counters: counters,
        requests: requests, readiness: readiness, config: self.config, http: HTTPCounters(),
        identity: identity, durability: options.durability, startedAt: now,
        isInsecure: !transport.localAddress.isLoopback || !listener.localAddress.isLoopback,
        bounds: options.pages)
      do throws(ServerError) {
        http = try PageServer(listener, sources)
      } catch {
        ledger.close()
        throw error
      }
    } else {
      http = nil
    }
    self.options = options
    self.log = log
    self.time = time
    self.engine = engine
    self.recorder = recorder
    self.counters = counters
    warnOfAddress()
  }

  private static func ledger(_ settings: LedgerSettings) throws(ServerError) -> SpendLedger {
    do throws(LedgerError) {
      return try SpendLedger.open(settings)
    } catch {
      // SQLite's findings may have several lines.
      throw .unavailable(error.description.replacing("\n", with: " "))
    }
  }

  private func warnOfAddress() {
    for address in [transport.localAddress, http?.address] {
      guard let address, !address.isLoopback else { continue }
      log.warning(
        """
        listening on \(address), which other machines reach: nothing is encrypted or \
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
        self.config.accept(at: time.now())
        let report = recorder.gate.withWindows {
          let now = time.now()
          let report = engine.reload(config.accepted.budgets, at: now)
          LedgerSync.write(report, to: recorder.ledger, at: now)
          return report
        }
        config.log(to: log, as: "reloaded")
        LogText.write(report, to: log)
      } catch {
        config.refuse(error.description)
        log.error("reload refused, the configuration in force stays:")
        for line in error.description.split(separator: "\n") { log.error("  \(line)") }
      }
    }
  }

  /// Stops accepting, answers what has arrived and closes every connection, within `deadline`; then
  /// closes the ledger, and last the HTTP port, which says meanwhile that the server is ending.
  /// Returns how many connections were cut off with something still under way.
  public func drain(within deadline: Duration) async -> Int {
    readiness.drain()
    let cutOff = await transport.drain(within: deadline)
    recorder.ledger.close()
    http?.stop()
    return cutOff
  }

  /// When a reply to RecordSpend leaves.
  public var durability: Durability { options.durability }

  /// Has Ping, /readyz, metrics and pages ask `read` for the state of the fleet, from now on. It is
  /// called from any thread and must not wait. Without it the node counts as alone.
  public func watchFleet(_ read: @escaping @Sendable () -> FleetStatus) {
    readiness.fleet.ask(read)
  }
}
