import BudgetFleet
import BudgetServer
import Dispatch
import Foundation
import Logging
import RedisStore
import Sockets
import TCPTransport

/// The server as a process: the ready line, then orders until it drains.
struct ServerProcess {
  let server: BudgetServer
  /// Keeps the node and its fleet in step; nil: the node is alone.
  let fleet: FleetLoop?
  let signals: ProcessSignals
  let log: Logger
  let manager: ServiceManager
  /// How long the node says that it is not ready before it takes no more connections.
  let drainDelay: Duration
  /// The configuration is read again here, since that takes as long as the file is large.
  private let reloads = DispatchQueue(label: "budgetd.reload", qos: .utility)

  init(
    server: BudgetServer, fleet: FleetLoop?, signals: ProcessSignals, log: Logger,
    manager: ServiceManager, drainDelay: Duration
  ) {
    self.manager = manager
    self.drainDelay = drainDelay
    self.server = server
    self.fleet = fleet
    self.signals = signals
    self.log = log
  }

  /// How long a drain may take before connections are cut off; a last pass must fit in behind it.
  private var drainDeadline: Duration {
    (fleet == nil ? .seconds(8) : .seconds(8) - BudgetServer.lastPassDuration) - drainDelay
  }

  /// Says when the server is ready, and returns once it has drained.
  func run() async {
    DispatchQueue.global().async { [fleet, signals] in
      fleet?.waitForFirstPass()
      signals.tell(.ready)
    }
    var orders = ProcessOrders()
    for await event in signals.events {
      switch orders.take(event) {
      case .announce:
        announce()
        manager.ready()
        manager.watch(server)
      case .beginReload:
        reloads.async { [server, signals, manager] in
          manager.reloading()
          RedisTLS.readFilesAgain()
          server.reload()
          manager.ready()
          signals.tell(.reloaded)
        }
      case .drain:
        await drain()
        // A reload under way has a thread of its own, and nobody waits for it.
        if orders.isReloading { leave(0) }
        return
      case nil: break
      }
    }
  }

  private func announce() {
    // An address comes first where there is one: readers of the line know it.
    let endpoints =
      (server.endpoints.filter { $0.address != nil }
      + server.endpoints.filter { $0.address == nil }).map(\.description)
    print(
      "budgetd ready rpc=\(endpoints[0]) http=\(server.httpAddress?.description ?? "off") "
        + "durability=\(server.durability) version=\(BudgetServer.version) "
        + "data=\(DataPlace.word(server.dataDirectory))"
        + (endpoints.count > 1 ? " also=\(endpoints.dropFirst().joined(separator: ","))" : ""))
    // Whoever waits for the line may read it through a pipe.
    fflush(nil)
  }

  private func drain() async {
    manager.stopping()
    if drainDelay > .zero {
      server.beginDraining()
      log.notice("not ready any more; taking connections for another \(drainDelay)")
      // Cancelled by nobody: a second signal ends the process.
      try? await Task.sleep(for: drainDelay)
    }
    log.notice("draining: answering what has arrived; a second signal ends the process at once")
    let cutOff = await server.drain(within: drainDeadline) { [fleet] allowance in
      fleet?.end(within: allowance)
    }
    if cutOff > 0 {
      log.warning("\(cutOff) connections were cut off with requests or replies under way")
    }
    logTotals()
  }

  private func logTotals() {
    let traffic = server.transportCounters
    let met = server.counters
    log.notice(
      """
      drained: \(traffic.connectionsAccepted) connections, \(traffic.frames) requests, \
      \(met.refusedRequests) refused, \(traffic.halfFrames) half frames, \
      \(traffic.frameTimeouts + traffic.framesTooLarge) frames too long or too slow, \
      \(traffic.closedSlow) slow readers closed, \(met.unusableNames) unusable names, \
      \(met.unresolvedModels) models without a provider, \(met.unbudgetedRecords) records without \
      a budget
      """)
  }
}
