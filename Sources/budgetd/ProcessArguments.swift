import ArgumentParser

/// How the process is supervised.
struct ProcessArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "text, a line for people; json, an object a line: time, level, message.", valueName: "format")
  )
  var logFormat = LogFormat.text

  @Option(
    help: ArgumentHelp(
      """
      At SIGTERM, how long the node says that it is not ready before it takes no more connections: \
      as long as load balancers need to hear of it, 0 to 4.
      """, valueName: "seconds"))
  var drainDelay = 0.0

  func validate() throws {
    guard drainDelay >= 0, drainDelay <= 4 else {
      throw ValidationError(
        "--drain-delay \(drainDelay): give 0 to 4 seconds; the process ends within 10 s of SIGTERM")
    }
  }
}

extension LogFormat: ExpressibleByArgument {}
