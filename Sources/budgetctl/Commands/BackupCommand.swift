import ArgumentParser
import BudgetClient
import BudgetModel

/// Copies the ledger while the server runs.
struct BackupCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "backup",
    abstract: "Copies the server's ledger, consistently; prints where it is.",
    discussion: """
      The server writes the copy into its own --backup-dir (backups in its data directory, if it was \
      started without), and never over another file. It keeps --backups-kept copies (7) and deletes \
      none: move them to another machine. To restore, put a copy into an empty data directory as \
      ledger.sqlite.
      """)

  @Argument(
    help: ArgumentHelp(
      "The copy's name, not a path; made of the date if not given.", valueName: "name"))
  var name = ""

  @OptionGroup var server: ServerOptions
  @ParentCommand var root: Budgetctl

  /// A large ledger on a slow disk takes minutes.
  private static let patience = Duration.seconds(600)

  func run() async throws {
    let client = try server.client(root: root.server)
    do throws(BudgetClientError) {
      let copy = try await client.backupLedger(named: name, timeout: Self.patience)
      let path = copy.path.isEmpty ? name : copy.path
      Terminal.write(
        lines: ["copied the ledger to \(path.printable), \(copy.bytes) bytes"])
    } catch {
      throw Failure(error, server: client.server)
    }
  }
}
