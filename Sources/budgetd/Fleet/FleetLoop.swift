import BudgetServer
import Dispatch
import LiteLLMConfig
import Logging
import Reconciliation
import RedisStore

/// Keeps this node and its fleet in step: the thread that alone talks to Redis, pass after pass.
final class FleetLoop: Sendable {
  private let thread: RedisThread
  private let firstPass: DispatchSemaphore

  /// How long a start waits for the first pass. Without it the outage policy holds.
  private static let firstPassMilliseconds = 3_000

  /// Starts the thread, which connects at once. Nil: the server has no Redis.
  init?(_ server: BudgetServer, interval: Duration, log: Logger) {
    guard let source = server.redis, let member = server.member else { return nil }
    var redis = RedisSettings(source)
    // A slow Redis still makes a fleet: what it costs is freshness, and never a request.
    redis.commandTimeout = .seconds(3)
    let link = redis
    var rhythm = ReconcilerSettings()
    rhythm.interval = interval
    rhythm.shortestInterval = min(interval, rhythm.shortestInterval)
    let settings = rhythm
    let firstPass = DispatchSemaphore(value: 0)
    self.firstPass = firstPass
    log.info("budgets are shared through Redis at \(source), from \(source.origin)")
    thread = RedisThread(name: "redis") { thread in
      var work = FleetWork(link, settings, member: member, log: log)
      work.run(on: thread) { firstPass.signal() }
    }
  }

  /// Waits for the first pass that succeeds, some seconds at most. Called once.
  func waitForFirstPass() {
    _ = firstPass.wait(timeout: .now() + .milliseconds(Self.firstPassMilliseconds))
  }

  /// One last pass, so that the fleet has all that this node has recorded; then the thread ends.
  func end(within allowance: Duration, log: Logger) {
    thread.end()
    guard !thread.join(within: allowance) else { return }
    log.warning(
      """
      Redis did not take the last spend within \(allowance): it is in the ledger, and the next start \
      sends it as long as its windows are open
      """)
  }
}
