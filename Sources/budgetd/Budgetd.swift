import ArgumentParser
import BudgetFleet
import BudgetModel
import BudgetServer
import Foundation
import LiteLLMConfig
import Logging
import RedisStore
import Synchronization

/// Dollar budgets for LLM routers, as a service.
@main
struct Budgetd: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "budgetd",
    abstract: "Dollar budgets for LLM routers: who may spend what, now.",
    discussion: """
      Reads LiteLLM's config.yaml, listens for length-prefixed protobuf requests, and answers \
      which deployments are within their provider's, their own and the request's tags' budgets.

      Each option can also be given as a variable: --max-connections as BUDGETD_MAX_CONNECTIONS.
      SIGHUP reads the config again; SIGTERM drains and ends the process, within 10 s.
      Exit codes: 0 drained, 64 usage, 69 a port, the data directory or memory is not to be had, 78 the config is refused.
      """,
    version: BudgetServer.version)

  @OptionGroup(title: "Service") var service: ServiceArguments
  @OptionGroup(title: "Encryption") var security: SecurityArguments
  @OptionGroup(title: "Process") var process: ProcessArguments
  @OptionGroup(title: "Ledger") var ledger: LedgerArguments
  @OptionGroup(title: "Redis") var redis: RedisArguments
  @OptionGroup(title: "Fleet") var fleet: FleetArguments
  @OptionGroup(title: "Bounds") var bounds: BoundArguments

  private static let signals = ProcessSignals()

  static func main() async {
    ProcessMemory.prepare()
    let given = Array(CommandLine.arguments.dropFirst())
    let asksForText = given.contains { ["--help", "-h", "--version"].contains($0) }
    // Before the first thread: one that cannot be made is waited for without an end.
    if !asksForText, let complaint = ProcessMemory.complaint {
      LineLog.complain(complaint)
      exit(withError: ExitCode(69))
    }
    // From here on no signal ends the process but by its own will.
    _ = signals
    // Options from the environment come first: those on the command line win.
    let environment = ProcessInfo.processInfo.environment
    let all =
      asksForText
      ? given : EnvironmentArguments.arguments(from: environment, besides: given) + given
    do {
      var command = try parseAsRoot(all)
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
    } catch {
      if exitCode(for: error) == .success { exit(withError: error) }
      if error is ExitCode { exit(withError: error) }
      // One line that says what is wrong; the whole help would push it off the screen.
      LineLog.complain("\(oneLine(message(for: error))); see budgetd --help")
      exit(withError: exitCode(for: error))
    }
  }

  /// The message in one line: a list of what there is follows behind its first line.
  private static func oneLine(_ message: String) -> String {
    let lines = message.split(separator: "\n").map { $0.drop { $0 == " " } }
    guard let first = lines.first else { return "unusable arguments" }
    let choices = lines.dropFirst().prefix { $0.hasPrefix("- ") }.map { $0.dropFirst(2) }
    return choices.isEmpty ? String(first) : "\(first) \(choices.joined(separator: ", "))"
  }

  func run() async throws {
    let (level, format) = (service.logLevel, process.logFormat)
    LineLog.complaintsAreJSON.store(format == .json, ordering: .relaxed)
    LoggingSystem.bootstrap { _ in LineLog(level: level, format: format) }
    let log = Logger(label: "budgetd")
    for line in EnvironmentArguments.complaints(about: ProcessInfo.processInfo.environment) {
      log.warning("\(line)")
    }
    do throws(ServerError) {
      var options = try service.options()
      options.security = try security.options()
      bounds.apply(to: &options)
      ledger.apply(to: &options)
      options.redis = try redis.choice()
      options.fleet = fleet.options
      options.sharingComplaint = { budget, source in
        RedisKeys(namespace: source.namespace).complaint(budget.key, budget.origin)
      }
      let server = try BudgetServer(options: options, log: log)
      let loop = try FleetLoop(server, interval: fleet.options.interval, log: log)
      if let loop { server.whenChanged { loop.tellChanges() } }
      Self.signals.beginServing()
      server.start()
      let manager = ServiceManager(environment: ProcessInfo.processInfo.environment)
      await ServerProcess(
        server: server, fleet: loop, signals: Self.signals, log: log, manager: manager,
        drainDelay: .seconds(process.drainDelay)
      ).run()
    } catch {
      for line in error.description.split(separator: "\n") {
        LineLog.complain(String(line))
      }
      throw ExitCode(error.exitCode)
    }
  }
}
