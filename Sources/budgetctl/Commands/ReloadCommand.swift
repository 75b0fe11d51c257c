import ArgumentParser
import BudgetClient
import BudgetModel

/// Has a server read its configuration again.
struct ReloadCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reload", abstract: "Has the server read its configuration again, as SIGHUP does.",
    discussion: """
      It prints what changed. A configuration that is refused changes nothing: what is wrong is printed, \
      and the exit code is 1. Needs the role admin.
      """)

  @OptionGroup var server: ServerOptions
  @ParentCommand var root: Budgetctl

  /// A large configuration takes a while to read.
  private static let patience = Duration.seconds(120)

  func run() async throws {
    let client = try server.client(root: root.server)
    do throws(BudgetClientError) {
      let answer = try await client.reloadConfig(timeout: Self.patience)
      var lines = answer.changes.map(\.printable)
      if answer.changesOmitted > 0 { lines.append("and \(answer.changesOmitted) more") }
      if lines.isEmpty { lines.append("reloaded: nothing changed") }
      Terminal.write(lines: lines + answer.warnings.map { "warning: \($0.printable)" })
    } catch {
      throw Failure(error, server: client.server)
    }
  }
}
