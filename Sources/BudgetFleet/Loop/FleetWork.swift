import BudgetAlerts
import Logging
import Reconciliation
import RedisStore

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
    // An attempt costs little, and an outage lasts until the first one that succeeds.
    backoff.longest = max(interval, .seconds(1))
  }

  /// Works until a wait is over for the end: then there is one pass more. `onFirstPass` is called
  /// once, after the first success.
  mutating func run(waiting: (Duration) -> RedisThread.Wakeup, onFirstPass: () -> Void) {
    var delay = Duration.zero
    while true {
      let since = member.uptime()
      let wakeup = waiting(delay)
      if wakeup == .woken {
        // A change was made here: it is told at once, and the next pass comes at its time.
        exchangeAlone()
        delay = max(.zero, delay - (member.uptime() - since))
        continue
      }
      let isLast = wakeup == .ending
      delay = attempt(isUrgent: isNextUrgent && !isLast, isLast: isLast, onFirstPass)
      if isLast {
        reconciler.close(member)
        return
      }
    }
  }

  /// One attempt at a pass. Returns when the next one is due.
  private mutating func attempt(
    isUrgent: Bool, isLast: Bool, _ onFirstPass: () -> Void
  ) -> Duration {
    let start = member.uptime()
    defer { member.note(link.health) }
    do throws(PassFailure) {
      link.beginPass()
      try connect()
      let fault = try exchangeChanges()
      let report = try reconciler.pass(
        member, &link, isUrgent: isUrgent, isLast: isLast)
      let took = member.uptime() - start
      succeeded(report, took: took)
      // A pass that failed says it all itself.
      if member.changes != nil { voice.exchanged(fault) }
      if report.awayReason == nil { member.alerts?.withBook { $0.passEnded() } }
      exchangeAlerts()
      if !hasSucceeded, report.awayReason == nil {
        hasSucceeded = true
        onFirstPass()
      }
      return max(.zero, report.nextPass - took)
    } catch {
      return delay(after: error)
    }
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
      voice.exchangedAlerts(try alerts.pass(shared, &link))
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
