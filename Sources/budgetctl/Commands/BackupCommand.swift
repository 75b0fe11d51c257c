import ArgumentParser
import BudgetClient
import Foundation

/// Copies the ledger while the server runs.
struct BackupCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "backup", abstract: "Copies the server's ledger to a file, consistently.",
    discussion: """
      The file is written by the server, on its own disk; a relative path is taken from this \
      command's folder. Nothing may be there yet. To restore, put the copy into an empty data \
      directory as ledger.sqlite.
      """)

  @Argument(help: ArgumentHelp("The copy.", valueName: "file"), completion: .file())
  var file: String

  @OptionGroup var server: ServerOptions
  @ParentCommand var root: Budgetctl

  /// A large ledger on a slow disk takes minutes.
  private static let patience = Duration.seconds(600)

  func run() async throws {
    let path = URL(filePath: file).standardizedFileURL.path
    let client = try server.client(root: root.server)
    do throws(BudgetClientError) {
      let bytes = try await client.backupLedger(to: path, timeout: Self.patience)
      Terminal.write(lines: ["copied the ledger to \(path.escapedForTerminal), \(bytes) bytes"])
    } catch {
      throw Failure(error, server: client.server)
    }
  }
}
