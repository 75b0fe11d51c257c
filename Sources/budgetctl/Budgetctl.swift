import ArgumentParser
import BudgetModel
import Foundation

/// The operator's tool for budgetd.
@main
struct Budgetctl: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "budgetctl",
    abstract: "Shows and tries the dollar budgets of a budgetd.",
    discussion: """
      The server is --server, else the variable BUDGETD_SERVER, else 127.0.0.1:7077; the option may \
      stand before or after the subcommand. A server with an access file wants to know who asks: \
      --token-file, else BUDGETD_TOKEN_FILE. access, alerts, check-config and simulate need no \
      server.

      Exit codes:
        0   fine
        1   the server refused, is not ready, or a trace differs (simulate --check)
        2   filter: every candidate is over budget; reserve: a budget has no room
        64  the command line is wrong
        69  the server cannot be reached, or did not answer
        70  unknown: the spend may or may not be recorded
        74  the output could not be written
        78  the config is refused, or a trace (simulate)

      Completion: budgetctl --generate-completion-script bash|zsh|fish
      """,
    version: ReleaseVersion.text,
    subcommands: [
      BudgetsCommand.self, HistoryCommand.self, FilterCommand.self, ExplainCommand.self,
      RecordCommand.self,
      ReserveCommand.self, SettleCommand.self, ReleaseCommand.self, ExtendCommand.self,
      ReservationsCommand.self, BoundCommand.self,
      PingCommand.self, AccessCommand.self,
      SetCommand.self, RaiseCommand.self, FreezeCommand.self, ShadowCommand.self,
      EnforceCommand.self, ResetCommand.self, ClearCommand.self, ChangesCommand.self,
      ReloadCommand.self, CheckConfigCommand.self, AlertsCommand.self, SimulateCommand.self,
      BackupCommand.self,
      BenchCommand.self,
    ])

  @OptionGroup var server: ServerOptions

  static func main() async {
    do {
      try Terminal.holdDescriptors()
      var command = try parseAsRoot()
      if var command = command as? any AsyncParsableCommand {
        try await command.run()
      } else {
        try command.run()
      }
      Terminal.closeOutput()
    } catch let failure as Failure {
      Terminal.end(failure)
    } catch {
      end(error)
    }
  }

  /// Ends the process as ArgumentParser would, but for texts that cannot be written, and for words
  /// that are nearly a command's.
  private static func end(_ error: any Error) -> Never {
    guard exitCode(for: error) != .success else {
      Terminal.write(lines: [fullMessage(for: error)])
      Terminal.closeOutput()
      exit(withError: ExitCode.success)
    }
    let commands = configuration.subcommands.compactMap { $0.configuration.commandName }
    let given = Array(CommandLine.arguments.dropFirst())
    if let complaint = CommandSpelling.complaint(of: given, commands: commands) {
      Terminal.end(Failure(complaint, .usage))
    }
    exit(withError: error)
  }
}

/// Commands that there are not, and those that were probably meant.
enum CommandSpelling {
  /// The options of the program itself, which may stand before the command, each with a value.
  private static let options: Set<String> = ["--server", "--timeout", "--token-file"]

  /// Why the first word of `arguments` is not a command; nil: it is one, or there is none.
  static func complaint(of arguments: [String], commands: [String]) -> String? {
    var words = arguments[...]
    while let word = words.first, word.hasPrefix("-") {
      words = words.dropFirst(options.contains(word) ? 2 : 1)
    }
    guard let word = words.first, word != "help", !commands.contains(word) else { return nil }
    let known = commands.joined(separator: ", ")
    let start = "'\(word)' is not a command"
    guard let meant = Spelling.nearest(to: word, among: commands) else {
      return "\(start): the commands are \(known)"
    }
    return "\(start): did you mean '\(meant)'? The commands are \(known)"
  }
}
