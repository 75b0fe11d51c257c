import BudgetEngine
import BudgetFleet
import BudgetModel
import BudgetPages
import BudgetWire
import HTTPPort
import SpendLedger
import TCPTransport

/// The parts of a server that its pages are made from.
struct PageParts {
  let context: ServiceContext
  let recorder: LedgerRecorder
  let transport: TCPServer
  let config: ConfigState
  let security: ServerSecurity?
  let alerts: AlertDesk
}

extension PageSources {
  /// The sources of a server that started at `now`.
  init(_ parts: PageParts, startedAt now: Timestamp, options: ServerOptions) {
    let (context, recorder, transport) = (parts.context, parts.recorder, parts.transport)
    let (readiness, config) = (context.readiness, parts.config)
    var node = Node(
      version: context.identity.version, nodeID: context.identity.nodeID, startedAt: now)
    node.durability = options.durability.rawValue
    node.unsentBoundBytes = transport.bounds.unsentTotalBytes
    self.init(node, engine: context.engine, time: context.time) { now in
      readiness.reading(at: now, config.last)
    }
    pace = context.pace
    bounds = options.pages
    requests = { RequestReading(context.requests.totals, context.counters) }
    denials = {
      let reading = context.requests.denials
      return { reading.count($0) }
    }
    traffic = { transport.counters }
    spend = { SpendReading(recorder.totals, recorder.ledger.counters) }
    ledger = { recorder.reading(at: $0) }
    history = { questions in
      // The page says that it was not to be had; the ledger says itself why.
      try? recorder.ledger.history(of: questions)
    }
    alerts = { [alerts = parts.alerts] in alerts.reading }
    if let member = context.fleet { fleet = { member.status } }
    let (desk, audit) = (context.access, context.audit)
    if !desk.isOpen {
      var access = PageAccess(judge: { desk.verdict(on: $0) }, seesMore: { desk.seesMore($0) })
      access.isMetricsOpen = options.isMetricsOpen
      access.arePagesOpen = options.arePagesOpen
      self.access = access
    }
    accessReading = { AccessReading(desk, audit) }
    if let changes = context.changes { self.changes = PageChanges(changes, desk) }
    if let security = parts.security {
      self.security = { [http] in
        security.reading(transport.counters, http.failures, done: http.handshakes)
      }
    }
    if let trace = context.trace {
      self.trace = { TraceReading(written: trace.written, lost: trace.lost) }
    }
  }
}

extension RequestReading {
  init(_ totals: RequestTotals, _ met: ServiceCounters) {
    self.init()
    for (position, name) in CountedMethod.names.enumerated() {
      let isServed = CountedMethod.served.contains(position)
      let answers = StatusCode.allCases.compactMap { status in
        let count = totals.answers[position][Int(status.rawValue)]
        return count > 0 || status == .ok && isServed ? (status.description, count) : nil
      }
      methods.append(
        Method(
          name: name, answers: answers, durations: isServed ? totals.durations(position) : nil))
    }
    denials = totals.denials
    denialsOmitted = totals.denialsOmitted
    repliesShortened = totals.repliesShortened
    contradictions = totals.contradictions
    for field in NameField.allCases {
      for fault in NameFault.allCases {
        unusableNames.append(
          UnusableNames(
            field: "\(field)", reason: fault.label, count: met.unusableNames(field, fault)))
      }
    }
    unresolvedModels = met.unresolvedModels
    unbudgetedRecords = met.unbudgetedRecords
  }
}

extension SpendReading {
  /// Records that were answered at once are not among what the ledger's thread counted.
  init(_ totals: SpendTotals, _ ledger: LedgerCounters) {
    self.init()
    recorded = totals.recorded
    unbudgeted = totals.unbudgeted
    unreserved = totals.unreserved
    records = ledger.recorded
    duplicates = ledger.duplicates + UInt64(totals.duplicatesAtOnce)
    mismatches = ledger.mismatches + UInt64(totals.mismatchesAtOnce)
    outOfRange = ledger.refusedForTime + UInt64(totals.outOfRangeAtOnce)
    refused = ledger.notRecorded + ledger.refusedAtQueue
    unknown = ledger.unknown
  }
}

extension LedgerRecorder {
  /// How the ledger is, for pages.
  func reading(at now: Timestamp) -> LedgerReading {
    var reading = LedgerReading()
    reading.counters = ledger.counters
    reading.state = ledger.state
    reading.isWritable = standing(at: now).notReadyReason == nil
    reading.lag = ledger.lag
    reading.keyBound = ledger.keyBound
    reading.keyMemoryMilliseconds =
      now.unixMilliseconds - ledger.horizon(at: now).unixMilliseconds
    return reading
  }
}

extension Readiness {
  /// Whether the node is well, for pages.
  func reading(at now: Timestamp, _ config: ConfigState.Reading) -> NodeReading {
    var reading = NodeReading(
      config: .init(
        path: config.path, acceptedAt: config.acceptedAt, refusal: config.refusal))
    reading.notReadyReasons = reasons(at: now)
    reading.warnings = warnings(at: now)
    reading.clocks = clocks.map {
      .init(aheadMilliseconds: $0.aheadMilliseconds, timesApart: $0.timesApart)
    }
    return reading
  }
}
