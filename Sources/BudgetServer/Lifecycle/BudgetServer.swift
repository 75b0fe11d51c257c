import BudgetEngine
public import BudgetFleet
public import BudgetModel
import BudgetPages
import BudgetWire
import Foundation
public import LiteLLMConfig
import Locks
public import Logging
public import Sockets
import SpendLedger
public import TCPTransport

/// The service as a whole: configuration, engine and RPC port, from start to drain.
public final class BudgetServer: Sendable {
  /// The version that Ping shows and `--version` prints.
  public static let version = ReleaseVersion.text

  /// The endpoints of the RPC port, with the ports that were taken.
  public var endpoints: [Endpoint] { transport.endpoints }
  /// The address of the HTTP port, with the port that was taken; nil: there is no HTTP port.
  public let httpAddress: SocketAddress?
  /// Counts of faults that the request path met and went on from.
  public let counters: ServiceCounters
  /// Counts of the connections' work.
  public var transportCounters: TransportCounters { transport.counters }

  /// This node as a member of its fleet; nil where it is alone.
  public let member: FleetMember?
  /// The Redis that the configuration or the command line names; nil: none.
  public let redis: RedisSource?
  let options: ServerOptions
  let log: Logger
  private let time: any TimeSource
  private let engine: BudgetEngine
  private let recorder: LedgerRecorder
  private let transport: TCPServer
  private let readiness: Readiness
  private let config: ConfigState
  private let http: PagePort?
  /// Serves requests that waited for the fleet's word.
  private let waited: ReservationDesk
  let access: AccessDesk
  private let audit: AuditLog
  let changes: ChangeDesk
  private let alerts: AlertDesk
  private let pace: SpendSampling
  private let upkeep: DynamicUpkeep
  private let reservations: ReservationUpkeep
  private let requests: AllRequestCounts
  /// Writes down what comes by; nil: nothing does.
  private let trace: TrafficTrace?
  /// One reload at a time, with what it compares with.
  private let reloading: Locked<ComputedIDs>
  /// Nil: connections are in the clear.
  let security: ServerSecurity?
  /// Held while a new configuration is put in force; true: the server is ending, and none is.
  private let isEnding = Locked<Bool>(false)

  /// Reads the configuration, opens the ledger, restores what it knows, and takes the port; serves
  /// from `start()` on. `time` replaces the system's clocks, for tests.
  ///
  /// Throws where the configuration is refused, the address is not one or reaches other machines
  /// without leave, or the data directory or the port is not to be had.
  public init(
    options: ServerOptions, log: Logger, time: (any TimeSource)? = nil
  ) throws(ServerError) {
    let rule = ListenRule(options, .rpc)
    let pageRule = ListenRule(options, .pages)
    let passed = try PassedSockets(options.inherited, isEncrypted: rule.isEncrypted)
    let endpoints = try rule.endpoints(options.listen, beside: passed)
    let pageAddress = try PageListener.address(options, passed)
    let security = try options.security.map { files throws(ServerError) in
      try ServerSecurity(files, log: log, at: SystemTimeSource.wallClock())
    }
    if time == nil, let complaint = ClockWatch.complaint(at: SystemTimeSource.wallClock()) {
      throw .unavailable(complaint)
    }
    let config = try ConfigSource(options).load()
    let access = AccessDesk(try AccessSource(options).load(), log: log)
    var pageListener = try PageListener.listen(options, passed)
    let trace = options.trace.map { TrafficTrace($0, version: Self.version, log: log) }
    var settings = LedgerSettings(directory: options.dataDirectory)
    settings.gatherInterval = options.durability.gatherInterval
    settings.backups.directory = options.backupDirectory
    settings.backups.kept = options.backupsKept
    settings.backups.reserveBytes = options.backupReserveBytes
    settings.keyBound = options.keysKept
    let ledger = try Self.ledger(settings)
    let opening = ledger.opening
    let source = config.accepted.redis
    let time =
      time
      ?? Self.clock(
        isShared: source != nil,
        startingAt: opening.time.time(
          atBoottime: SystemTimeSource.boottimeNanoseconds() / 1_000_000), options.fleet)
    let now = time.now()
    let engine = BudgetEngine(
      restoring: LedgerSync.restorable(
        source == nil
          ? LedgerSync.windows(opening)
          : FleetRestoring.windows(opening, besides: LedgerSync.windows(opening), at: now),
        config.accepted.budgets, at: now),
      dynamicBudgets: options.dynamicBudgets,
      reservations: options.reservations(node: options.nodeID ?? opening.nodeID))
    let requests = AllRequestCounts()
    let recorder = LedgerRecorder(
      engine: engine, ledger: ledger, queueBound: settings.queueRecordBound, time: time,
      durability: options.durability, bounds: options.wire, requests: requests, log: log)
    let nodeID = options.nodeID ?? opening.nodeID
    let audit = AuditLog(log: log)
    audit.keep(in: .init(ledger: ledger, time: time, node: nodeID))
    changes = ChangeDesk(
      recorder, time, audit: audit, node: nodeID, isInFleet: source != nil,
      restoring: opening.changes)
    ledger.start(recorder)
    let report = engine.reload(config.accepted.budgets, at: now)
    engine.inherit(opening.held, at: now)
    engine.estimates.restore(opening.learned)
    LedgerSync.write(report, to: ledger, at: now)
    ledger.note(
      recorder.inForce(config.accepted.budgets.notedLimits), isComplete: true, at: now)
    // A crash in the next moment must find the windows as they are now.
    ledger.settle()
    let counters = ServiceCounters()
    let contradictions = Self.contradictions(log: log)
    pace = SpendSampling(engine, time)
    alerts = AlertDesk(
      .init(
        engine: engine, ledger: ledger, time: time, pace: pace, node: nodeID,
        isShared: source != nil, log: log), restoring: opening.alerts)
    var surroundings = FleetSurroundings(
      engine: engine, ledger: ledger, time: time, log: log, changes: changes)
    surroundings.alerts = alerts
    let member = source == nil ? nil : FleetMember(surroundings, options: options.fleet)
    let clocks = ClockWatch(time, isShared: source != nil, log: log)
    let readiness = Readiness(
      recorder: recorder, fleet: member, clocks: clocks, security: security)
    let identity = NodeIdentity(version: Self.version, nodeID: nodeID)
    upkeep = DynamicUpkeep(engine, time, log: log)
    reservations = ReservationUpkeep(engine, ledger, time)
    let context = ServiceContext(
      engine: engine, time: time, recorder: recorder, bounds: options.wire, identity: identity,
      counters: counters, contradictions: contradictions, requests: requests,
      readiness: readiness, pace: pace, access: access, audit: audit,
      changes: changes,
      isInsecureNetwork: endpoints.contains(where: rule.isInsecure)
        || passed.rpc.contains { rule.isInsecure($0.endpoint) }
        || pageAddress.map { pageRule.isInsecure(.tcp($0)) } ?? false,
      fleet: member, trace: trace, upkeep: upkeep)
    waited = ReservationDesk(context, recorder)
    member?.waiting.answer(at: waited)
    do throws(TransportError) {
      transport = try TCPServer(
        endpoints: .init(endpoints, unixMode: rule.unixMode, inherited: passed.rpc),
        bounds: options.transport, lanes: options.laneCount, rest: options.rest,
        security: security?.transport
      ) { _, _ in LaneService(context: context) }
    } catch {
      ledger.close()
      throw .unavailable(
        "cannot listen on \(options.listen.joined(separator: ", ")): \(error); choose another with --listen, port 0 takes "
          + "a free one")
    }
    let memory = MemoryWatch(log: log)
    transport.watchMemory { memory.note($0) }
    // A name may resolve to more than its text says.
    do throws(ServerError) {
      for endpoint in transport.endpoints { try rule.check(endpoint, of: "--listen") }
      try trace?.start(of: engine, recorder, time)
    } catch {
      ledger.close()
      throw error
    }
    // A start that is refused says so in one line; one that goes on says what it found.
    config.log(to: log, as: "loaded")
    LedgerSync.log(opening, directory: options.dataDirectory, at: now, to: log)
    ledger.forgetOpenedWindows()
    LogText.writeWindows(report, to: log)
    recorder.connect(to: transport.replies, trace: trace)
    access.connect(to: transport.replies)
    alerts.enforce(config.accepted.alerts, config.webhook)
    self.config = ConfigState(path: options.configPath, acceptedAt: now)
    reloading = Locked(ComputedIDs(config.accepted))
    self.readiness = readiness
    if let listener = pageListener.take() {
      let endpoint = listener.localEndpoint
      var sources = PageSources(
        PageParts(
          context: context, recorder: recorder, transport: transport, config: self.config,
          security: security, alerts: alerts),
        startedAt: now, options: options)
      sources.node.isInsecure =
        transport.endpoints.contains(where: rule.isInsecure) || pageRule.isInsecure(endpoint)
      let port = PagePort(
        adopting: listener.release(), sources, bounds: PageListener.bounds(transport),
        security: security?.pages)
      guard let port else {
        ledger.close()
        throw .unavailable(
          "no descriptors are left for the HTTP port: raise the limit (ulimit -n)")
      }
      (http, httpAddress) = (port, endpoint.address)
    } else {
      (http, httpAddress) = (nil, nil)
    }
    self.options = options
    self.log = log
    self.time = time
    self.engine = engine
    self.recorder = recorder
    self.requests = requests
    self.counters = counters
    self.member = member
    self.access = access
    self.audit = audit
    self.trace = trace
    redis = source
    self.security = security
    security?.whenRenewed { [transport] in transport.renew($0) }
    member?.start()
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

  /// Writing a line may wait, so not on a lane; there are a few hundred at most.
  private static func contradictions(log: Logger) -> ProviderContradictions {
    ProviderContradictions { line in
      DispatchQueue.global(qos: .utility).async { log.warning("\(line)") }
    }
  }

  private func warnOfAddress() {
    let rpc = endpoints.map { ($0, ListenRule.Port.rpc) }
    let pages = httpAddress.map { [(Endpoint.tcp($0), ListenRule.Port.pages)] } ?? []
    for (endpoint, port) in rpc + pages {
      let rule = ListenRule(options, port)
      guard rule.isInsecure(endpoint) else { continue }
      log.warning(
        """
        listening on \(endpoint), which other machines reach: \(rule.shortcoming) \
        (--insecure-network)
        """)
    }
    if transport.isDescriptorLimitTooLow {
      log.warning(
        """
        only \(transport.descriptorLimit) descriptors may be open, too few for \
        \(options.transport.connections) connections: at most \(transport.bounds.connections) are \
        taken; raise the limit (ulimit -n), or lower --max-connections
        """)
    }
  }

  /// Calls `told` whenever an operator has changed a budget on this node, or one was told of one.
  public func whenChanged(_ told: @escaping @Sendable () -> Void) {
    changes.whenChanged(told)
    alerts.whenTold(told)
  }

  /// Begins to accept connections.
  public func start() {
    FreedMemory.release()
    readiness.clocks?.start()
    upkeep.start()
    reservations.start()
    changes.start { [weak self] author in
      self?.reload(by: author)
        ?? .failure(ServiceRefusal(.unavailable, "the server is ending"))
    }
    pace.start { [requests] in requests.totals.requests }
    alerts.start()
    transport.start()
  }

  /// Reads the configuration again and puts it in force as a whole; spend stays. A file that is
  /// refused leaves the old configuration in force, and the log says why. It takes as long as reading
  /// takes; a drain does not wait for that, and what was read when it began is thrown away.
  public func reload() { _ = reload(by: ChangeAuthor(name: "a signal to the process", place: "")) }

  func reload(by author: ChangeAuthor) -> Result<ReloadConfigResponse, ServiceRefusal> {
    reloading.withLock { known in
      audit.note(.reload, by: author)
      let files = reloadFiles()
      defer {
        if !files.refusals.isEmpty { config.refuse(files.refusals.joined(separator: "\n")) }
        FreedMemory.release()
      }
      do throws(ServerError) {
        let config = try ConfigSource(options).load()
        let moves = known.moves(to: config.accepted)
        var losses: [ComputedIDs.Loss] = []
        let report = isEnding.withLock { isEnding in
          isEnding
            ? nil
            : enforce(config.accepted.budgets) { now in
              losses = engine.losses(of: moves, at: now)
            }
        }
        guard let report else {
          log.notice("reload given up: the server is ending")
          return .failure(ServiceRefusal(.unavailable, "the server is ending"))
        }
        known = ComputedIDs(config.accepted)
        alerts.enforce(config.accepted.alerts, config.webhook)
        warnOfRedis(config.accepted.redis)
        config.log(to: log, as: "reloaded")
        LogText.write(report, to: log)
        ComputedIDs.write(losses, to: log)
        guard files.refusals.isEmpty else {
          return .failure(
            ServiceRefusal(
              .failedPrecondition,
              "\(files.refusals.joined(separator: "; ")); the configuration was read and is in force"
            ))
        }
        return .success(ReloadConfigResponse(report, config.accepted.warnings, files))
      } catch {
        self.config.refuse(error.description)
        log.error("reload refused, the configuration in force stays:")
        for line in error.description.split(separator: "\n") { log.error("  \(line)") }
        return .failure(
          ServiceRefusal(
            .failedPrecondition,
            "the configuration is refused, the one in force stays: \(error.description)"))
      }
    }
  }

  private func enforce(
    _ budgets: BudgetConfiguration, lookingBack look: (Timestamp) -> Void
  ) -> ReloadReport {
    config.accept(at: time.now())
    let report = recorder.reload(budgets, lookingBack: look)
    pace.forget(report.reusedSlots)
    noteRemoved(report.removed, at: time.now())
    member?.reloaded()
    return report
  }

  /// Entries have left the configuration: names that patterns give budgets have the patterns' limits.
  private func noteRemoved(_ entries: [BudgetKey], at now: Timestamp) {
    let catalog = engine.catalog
    if catalog.patternsInForce.isEmpty { return }
    let names = entries.filter { catalog.pattern(giving: $0) != nil }
    recorder.ledger.note(
      BudgetsOfName.limits(of: names, in: engine, at: now), isComplete: false, at: now)
  }

  /// A running node keeps its Redis: what a reload finds otherwise is named.
  private func warnOfRedis(_ source: RedisSource?) {
    let what: String
    switch (redis, source) {
    case (nil, nil): return
    case (nil, .some(let new)): what = "Redis at \(new), from \(new.origin), is new"
    case (.some(let old), nil): what = "Redis at \(old) is gone from the configuration"
    case (.some(let old), .some(let new)):
      let changes = old.changes(to: new)
      if changes.isEmpty { return }
      what = "\(changes.joined(separator: ", ")) of Redis changed (\(new.origin))"
    }
    log.warning("\(what): takes effect at the next start; this process goes on as it started")
  }

  /// Says that the node is not ready, and goes on serving: who sends traffic has time to hear of it.
  public func beginDraining() { readiness.drain() }

  /// Calls `done` once every lane and the ledger's thread have gone round. Where one hangs it is never
  /// called.
  public func beat(_ done: @escaping @Sendable () -> Void) {
    Pulse(transport, recorder.ledger).beat(done)
  }

  /// Stops accepting, answers what has arrived and closes every connection, within `deadline`; then
  /// closes the ledger, and last the HTTP port, which says meanwhile that the server is ending.
  /// Returns how many connections were cut off with something still under way.
  ///
  /// `lastPass` runs in between, once all that was recorded is committed: a last agreement with the
  /// fleet, in the time that it is given. It may wait.
  public func drain(
    within deadline: Duration, lastPass: (@Sendable (Duration) -> Void)? = nil
  ) async -> Int {
    readiness.drain()
    // Its caller is answered at once, and the end does not wait for it.
    recorder.ledger.giveUpBackups()
    readiness.clocks?.stop()
    let cutOff = await transport.drain(within: deadline)
    await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
      // Waits for the disk and for the store, so not on a thread that others need.
      DispatchQueue.global().async { [self] in
        isEnding.withLock { $0 = true }
        reservations.finish()
        alerts.finish()
        if let lastPass {
          recorder.ledger.settle()
          lastPass(Self.lastPassDuration)
        }
        member?.stop()
        recorder.ledger.close()
        trace?.close()
        http?.stop()
        done.resume()
      }
    }
    return cutOff
  }

  /// The time that a last pass may take.
  public static let lastPassDuration = Duration.seconds(3)

  private static func clock(
    isShared: Bool, startingAt first: Timestamp, _ fleet: FleetOptions
  ) -> any TimeSource {
    isShared
      ? FleetClock(
        startingAt: first, jumpBound: fleet.clockJumpBound,
        boottime: { SystemTimeSource.boottimeNanoseconds() / 1_000_000 },
        wallClock: SystemTimeSource.wallClock)
      : SystemTimeSource(startingAt: first)
  }

  /// When a reply to RecordSpend leaves.
  public var durability: Durability { options.durability }

  /// The directory that spend is kept in.
  public var dataDirectory: String { options.dataDirectory }
}
