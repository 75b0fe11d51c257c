import ArgumentParser
import BudgetServer
import Logging
import TCPTransport

/// Options whose work comes with later versions. They are checked now, so that scripts written
/// today go on working, and the log says what they do not do yet.
struct LaterArguments: ParsableArguments {
  @Option(help: ArgumentHelp("Where pages and metrics will be served.", valueName: "host:port"))
  var http = "127.0.0.1:9464"

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
  }

  /// One line that says what is not done yet.
  func log(to log: Logger) { log.notice("--http does nothing yet") }
}
