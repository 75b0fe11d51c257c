import ArgumentParser
import Foundation

/// The operator's tool for budgetd.
@main
struct Budgetctl: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "budgetctl",
    abstract: "Shows and tries the dollar budgets of a budgetd.",
    discussion: """
      The server is --server, else the variable BUDGETD_SERVER, else 127.0.0.1:7077; the option may \
      stand before or after the subcommand. check-config and simulate need no server.

      Exit codes:
        0   fine
        1   the server refused, is not ready, or a trace differs (simulate --check)
        2   filter: every candidate is over budget
        64  the command line is wrong
        69  the server cannot be reached, or did not answer
        70  unknown: the spend may or may not be recorded
        78  the config is refused

      Completion: budgetctl --generate-completion-script bash|zsh|fish
      """,
    subcommands: [
      BudgetsCommand.self, FilterCommand.self, RecordCommand.self, PingCommand.self,
      CheckConfigCommand.self, SimulateCommand.self, BackupCommand.self,
      BenchCommand.self,
    ])

  @OptionGroup var server: ServerOptions

  static func main() async {
    do {
      var command = try parseAsRoot()
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
    } catch let failure as Failure {
      Terminal.complain(failure.message)
      exit(withError: ExitCode(failure.code.rawValue))
    } catch {
      exit(withError: error)
    }
  }
}
