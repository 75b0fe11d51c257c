import BudgetAlerts
import Logging
import Reconciliation
import RedisStore
import Synchronization

/// The work of the thread that talks to Redis: passes at their time, fresh links after failures, each
/// next attempt later than the one before.
///
/// It has no clock and no thread of its own: the member tells it what time passes, and whoever runs
/// it how long it may wait.
struct FleetWork<Link: FleetLink> {
  private let member: FleetMember
  private var link: Link
  private let voice: FleetVoice
  private let interval: Duration
  private var reconciler: Reconciler
  private var exchange: ChangeExchange
  private var alerts: AlertExchange
  private var backoff = RedisBackoff()
  private var random = SystemRandomNumberGenerator()
  private var isNextUrgent = false
  private var hasSucceeded = false
  /// When the next pass is due, and when the next call on demand; nil: nothing waits for one.
  private var passAt = Duration.zero
  private var demandAt: Duration?
  private var pace: DemandPace
  /// How many attempts have failed in a row.
  private var failures = 0

  /// How soon a pass is tried again that the ledger was late for.
  private static var putOff: Duration { .milliseconds(100) }

  init(
    _ link: Link, _ reconciler: Reconciler, keys: RedisKeys = RedisKeys(namespace: nil),
    member: FleetMember, log: Logger
  ) {
    self.member = member
    self.link = link
    self.reconciler = reconciler
    exchange = ChangeExchange(keys)
    alerts = AlertExchange(keys, node: member.origin)
    voice = FleetVoice(log: log)
    interval = reconciler.settings.interval
    pace = DemandPace(reconciler.settings.claims)
    // An attempt costs little, and an outage lasts until the first one that succeeds.
    backoff.longest = max(interval, .seconds(1))
  }

  /// Works until a wait is over for the end: then there is one pass more. `onFirstPass` is called
  /// once, after the first success.
  mutating func run(waiting: (Duration) -> RedisThread.Wakeup, onFirstPass: () -> Void) {
    passAt = member.uptime()
    while true {
      switch waiting(max(.zero, min(passAt, demandAt ?? passAt) - member.uptime())) {
      case .woken:
        // A change was made here: it is told at once, and the next pass comes at its time.
        if member.mustTell.exchange(false, ordering: .relaxed) { exchangeAlone() }
        if member.waiting.takeBell() { demand() }
      case .timePassed:
        if let demandAt, demandAt < passAt {
          callOnDemand()
        } else {
          attempt(isLast: false, onFirstPass)
        }
      case .ending:
        attempt(isLast: true, onFirstPass)
        reconciler.close(member)
        return
      }
    }
  }

  /// A call is wanted for reservations that wait.
  private mutating func demand() {
    let now = member.uptime()
    demandAt = now + pace.wait(at: now)
  }

  /// An attempt at a pass or a call is over. Whoever still waits is asked for again; when two in a row
  /// have failed, nobody is. One that was put off has not failed: the store is there.
  private mutating func attempted(_ report: PassReport?, isPutOff: Bool = false) {
    if !isPutOff {
      let isSlow = report.map { $0.learning > 0 || $0.unopened > 0 } ?? false
      pace.called(at: member.uptime(), learning: isSlow)
      failures = report == nil ? failures + 1 : 0
      member.waiting.setAway(failures > 1)
    }
    if let report { member.noteClaims(report) }
    demandAt = nil
    if member.waiting.count > 0 { demand() }
  }

  private mutating func callOnDemand() {
    let start = member.uptime()
    var report: PassReport?
    defer { attempted(report) }
    do throws(PassFailure) {
      link.beginCall()
      try connect()
      let called = try reconciler.callOnDemand(member, &link)
      report = called
      if called.isOfPass { finish(called, since: start) {} }
    } catch {
      passAt = member.uptime() + delay(after: error)
    }
  }

  /// One attempt at a pass.
  private mutating func attempt(isLast: Bool, _ onFirstPass: () -> Void) {
    let start = member.uptime()
    var made: PassReport?
    var isPutOff = false
    defer {
      attempted(made, isPutOff: isPutOff)
      member.note(link.health)
    }
    do throws(PassFailure) {
      link.beginPass()
      try connect()
      let fault = try exchangeChanges()
      let report = try reconciler.pass(
        member, &link, isUrgent: isNextUrgent && !isLast, isLast: isLast)
      made = report
      finish(report, since: start, onFirstPass)
      // A pass that failed says it all itself.
      if member.changes != nil { voice.exchanged(fault) }
      if report.awayReason == nil { member.alerts?.withBook { $0.passEnded() } }
      exchangeAlerts()
    } catch .ledgerIsLate {
      isPutOff = true
      passAt = member.uptime() + Self.putOff
    } catch {
      passAt = member.uptime() + delay(after: error)
    }
  }

  /// A pass has gone through: the next one is due so long after it began.
  private mutating func finish(
    _ report: PassReport, since start: Duration, _ onFirstPass: () -> Void
  ) {
    succeeded(report, took: member.uptime() - start)
    if !hasSucceeded, report.awayReason == nil {
      hasSucceeded = true
      onFirstPass()
    }
    passAt = start + report.nextPass
  }

  /// Before the pass: windows that somebody has ended take no more spend.
  /// Returns why they cannot be exchanged; nil: they were.
  private mutating func exchangeChanges() throws(PassFailure) -> String? {
    guard let changes = member.changes else { return nil }
    let fault = try exchange.pass(changes, &link, at: member.now())
    member.noteExchange(fault: fault)
    return fault
  }

  /// The next pass tells what cannot be told now.
  private mutating func exchangeAlone() {
    guard link.isConnected else { return }
    link.beginCall()
    do throws(PassFailure) {
      _ = try exchangeChanges()
    } catch {
      link.disconnect()
    }
    exchangeAlerts()
  }

  /// Whatever becomes of alerts, a pass is what it was.
  private mutating func exchangeAlerts() {
    guard let shared = member.alerts else { return }
    guard link.isConnected else { return shared.withBook { $0.lost() } }
    do throws(PassFailure) {
      voice.exchangedAlerts(try alerts.pass(shared, &link, at: member.now()))
    } catch {
      link.disconnect()
    }
  }

  private mutating func connect() throws(PassFailure) {
    if !link.isConnected {
      do throws(RedisError) {
        let facts = try link.connect()
        voice.connected(facts)
        member.noteEviction(isUnsafe: facts.mayEvict)
      } catch {
        throw .store(error)
      }
    }
    // A cluster makes links to its nodes by itself, in the middle of a pass too.
    if link.takeRenewal() { reconciler.linkWasMade() }
  }

  private mutating func succeeded(_ report: PassReport, took: Duration) {
    voice.passed(report)
    voice.heard(link.health)
    if let reason = report.awayReason {
      member.passWasPartial(report.awayText(reason))
    } else {
      member.passSucceeded(nodes: report.nodesFault == nil ? report.nodes : nil, took: took)
    }
    member.passesSkipped(Int(took / interval))
    for late in report.late { member.addLate(late.amount) }
    backoff.succeeded()
    isNextUrgent = report.isNextUrgent
  }

  private mutating func delay(after failure: PassFailure) -> Duration {
    member.alerts?.withBook { $0.lost() }
    isNextUrgent = false
    switch failure {
    case .clock, .clockMoved: break
    // A refusal leaves replies in order, but what refuses may be another server by now.
    default: link.disconnect()
    }
    let isClock = if case .clock = failure { true } else { false }
    member.passFailed(failure.description, forItsClock: isClock)
    voice.failed(failure)
    return backoff.delayAfterFailure(using: &random)
  }
}
