import Dispatch
public import Logging
import Reconciliation
public import RedisStore
import Synchronization

/// Keeps this node and its fleet in step: the thread that alone talks to Redis, pass after pass.
public final class FleetLoop: Sendable {
  private let thread: RedisThread
  private let firstPass: DispatchSemaphore
  private let log: Logger
  private let member: FleetMember

  /// How long a start waits for the first pass. Without it the outage policy holds.
  private static let firstPassMilliseconds = 3_000
  /// How long Redis may take to answer: a slow Redis still makes a fleet. Its cost is
  /// freshness, and never a request.
  private static let commandTimeout = Duration.seconds(3)

  /// Starts the thread, which connects at once. `interval` is from one pass to the next.
  public init(_ redis: RedisSettings, interval: Duration, member: FleetMember, log: Logger) {
    var redis = redis
    redis.commandTimeout = Self.commandTimeout
    var settings = ReconcilerSettings()
    settings.interval = interval
    settings.shortestInterval = min(interval, settings.shortestInterval)
    let firstPass = DispatchSemaphore(value: 0)
    self.firstPass = firstPass
    self.log = log
    self.member = member
    let (link, rhythm) = (redis, settings)
    thread = RedisThread(name: "redis") { thread in
      let keys = RedisKeys(namespace: link.namespace)
      let reconciler = Reconciler(settings: rhythm, keys: keys)
      if case .cluster(let seeds) = link.topology {
        let store = ClusterFleetStore(link, seeds: seeds)
        var work = FleetWork(store, reconciler, keys: keys, member: member, log: log)
        work.run(waiting: { thread.wait(for: $0) }) { firstPass.signal() }
      } else {
        var work = FleetWork(
          RedisFleetStore(link), reconciler, keys: keys, member: member, log: log)
        work.run(waiting: { thread.wait(for: $0) }) { firstPass.signal() }
      }
    }
    member.waiting.whenEntered { [thread] in thread.wake() }
  }

  /// Waits for the first pass that succeeds, some seconds at most. Called once.
  public func waitForFirstPass() {
    _ = firstPass.wait(timeout: .now() + .milliseconds(Self.firstPassMilliseconds))
  }

  /// An operator has changed something here, or an alert was sent: the store is told at once.
  public func tellChanges() {
    member.mustTell.store(true, ordering: .relaxed)
    thread.wake()
  }

  /// One last pass, so that the fleet has all that this node has recorded; then the thread ends.
  public func end(within allowance: Duration) {
    thread.end()
    guard !thread.join(within: allowance) else { return }
    log.warning(
      """
      Redis did not take the last spend within \(allowance): it is in the ledger, and the next start \
      sends it as long as its windows are open
      """)
  }
}
