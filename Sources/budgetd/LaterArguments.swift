import ArgumentParser
import BudgetServer
import Logging
import TCPTransport

/// Options whose work comes with later versions. They are checked now, so that scripts written
/// today go on working, and the log says what they do not do yet.
struct LaterArguments: ParsableArguments {
  @Option(help: ArgumentHelp("Where pages and metrics will be served.", valueName: "host:port"))
  var http = "127.0.0.1:9464"

  @Option(
    help: ArgumentHelp(
      "The Redis that nodes will agree through.",
      valueName: "redis://[user@]host:port[/db] | unix:path | off"))
  var redis = "off"

  @Option(help: ArgumentHelp("A file with Redis' password.", valueName: "file"))
  var redisPasswordFile: String?

  /// Throws where a value could not be meant.
  func check(allowsInsecureNetwork: Bool) throws(ServerError) {
    let address: SocketAddress
    do throws(TransportError) {
      address = try SocketAddress(http)
    } catch {
      throw .usage("--http \(error)")
    }
    guard address.isLoopback || allowsInsecureNetwork else {
      throw .usage(
        "--http \(http) is not a loopback address and nothing there is encrypted or authenticated: "
          + "use 127.0.0.1, or say --insecure-network if the network is safe")
    }
    try checkRedis()
  }

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
    let redisToo = redis == "off" ? "" : ", nor does --redis: this node keeps its budgets alone"
    log.notice("--http does nothing yet\(redisToo)")
  }
}
