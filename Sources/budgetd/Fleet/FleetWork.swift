import BudgetServer
import Logging
import Reconciliation
import RedisStore

/// What the thread that talks to Redis does: passes at their time, fresh links after failures, each
/// next attempt later than the one before.
struct FleetWork {
  private let member: FleetMember
  private let store: RedisFleetStore
  private let voice: FleetVoice
  private var reconciler: Reconciler
  private var backoff = RedisBackoff()
  private var random = SystemRandomNumberGenerator()
  private var isNextUrgent = false

  init(_ redis: RedisSettings, _ rhythm: ReconcilerSettings, member: FleetMember, log: Logger) {
    self.member = member
    store = RedisFleetStore(redis)
    voice = FleetVoice(log: log)
    // An attempt costs little, and an outage lasts until the first one that succeeds.
    backoff.longest = max(rhythm.interval, .seconds(1))
    reconciler = Reconciler(settings: rhythm, keys: RedisKeys(namespace: redis.namespace))
  }

  /// Works until the thread is told to end. `onFirstPass` is called once, after the first success.
  mutating func run(on thread: RedisThread, onFirstPass: () -> Void) {
    var hasSucceeded = false
    var delay = Duration.zero
    while true {
      let isLast = thread.wait(for: delay) == .ending
      delay = pass(isUrgent: isNextUrgent && !isLast, hasSucceeded: &hasSucceeded, onFirstPass)
      if isLast {
        reconciler.close(member)
        return
      }
    }
  }

  /// One attempt. Returns when the next one is due.
  private mutating func pass(
    isUrgent: Bool, hasSucceeded: inout Bool, _ onFirstPass: () -> Void
  ) -> Duration {
    let start = ContinuousClock.now
    do throws(PassFailure) {
      if !store.isConnected {
        do throws(RedisError) {
          let facts = try store.connect()
          voice.connected(facts)
          member.noteEviction(isUnsafe: facts.mayEvict)
        } catch {
          throw .store(error)
        }
        reconciler.linkWasMade()
      }
      var store = store
      let report = try reconciler.pass(member, &store, isUrgent: isUrgent)
      let took = ContinuousClock.now - start
      voice.passed(report)
      member.passSucceeded(
        nodes: report.nodesFault == nil ? report.nodes : nil, took: took)
      for late in report.late { member.addLate(late.amount) }
      backoff.succeeded()
      isNextUrgent = report.isNextUrgent
      if !hasSucceeded {
        hasSucceeded = true
        onFirstPass()
      }
      return max(.zero, report.nextPass - took)
    } catch {
      isNextUrgent = false
      switch error {
      case .clock, .clockMoved: break
      // A refusal leaves replies in order, but what refuses may be another server by now.
      default: store.disconnect()
      }
      let isClock = if case .clock = error { true } else { false }
      member.passFailed(error.description, forItsClock: isClock)
      let delay = backoff.delayAfterFailure(using: &random)
      voice.failed(error)
      return delay
    }
  }
}
