import ArgumentParser
import BudgetServer
import Logging

/// Options whose work comes with later versions. They are checked now, so that scripts written
/// today go on working, and the log says what they do not do yet.
struct LaterArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The Redis that nodes will agree through.",
      valueName: "redis://[user@]host:port[/db] | unix:path | off"))
  var redis = "off"

  @Option(help: ArgumentHelp("A file with Redis' password.", valueName: "file"))
  var redisPasswordFile: String?

  /// Throws where a value could not be meant.
  func check() throws(ServerError) { try checkRedis() }

  private func checkRedis() throws(ServerError) {
    if redis == "off" || redis.hasPrefix("unix:/") { return }
    guard redis.hasPrefix("redis://") else {
      throw .usage(
        "--redis '\(redis.prefix(while: { $0 != ":" }))...': give redis://[user@]host:port[/db], "
          + "unix:/path or off"
          + (redis.hasPrefix("rediss:") ? "; for TLS, a tunnel (stunnel) on loopback" : ""))
    }
    let rest = redis.dropFirst("redis://".count)
    if let at = rest.lastIndex(of: "@"), rest[..<at].contains(":") {
      // Not repeated here: it is a secret, and the arguments were public enough.
      throw .usage(
        "--redis holds a password, and arguments are public: give it in BUDGETD_REDIS_PASSWORD or "
          + "--redis-password-file")
    }
  }

  /// One line that says what is not done yet.
  func log(to log: Logger) {
    if redis != "off" { log.notice("--redis does nothing yet: this node keeps its budgets alone") }
  }
}
