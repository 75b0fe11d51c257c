import ArgumentParser
import BudgetClient
import BudgetModel
import JSONWriting

/// Shows what operators changed.
struct ChangesCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "changes", abstract: "Shows who changed what, and which changes are in force.",
    discussion: """
      The changes in force come first, then the audit of the node that answers, the newest first: what \
      was done and what was refused. It is kept for 35 days.

      --output json writes an object with in_force and lines. Needs the role read.
      """)

  @Option(help: ArgumentHelp("How many lines at most, 1 to 10000.", valueName: "count"))
  var limit = 50

  @Option(help: "Write table or json.")
  var output = OutputFormat.table

  @Flag(help: "As --output json.")
  var json = false

  @OptionGroup var server: ServerOptions
  @ParentCommand var root: Budgetctl

  private static let mostLines = 10_000
  private static let mostOnAPage = 1_000

  func validate() throws {
    guard (1...Self.mostLines).contains(limit) else {
      throw ValidationError("--limit \(limit): give 1 to \(Self.mostLines)")
    }
  }

  func run() async throws {
    let client = try server.client(root: root.server)
    var all = ListChangesResponse()
    do throws(BudgetClientError) {
      var request = ListChangesRequest()
      repeat {
        request.pageSize = UInt32(min(limit - all.lines.count, Self.mostOnAPage))
        let page = try await client.listChanges(request)
        all.lines += page.lines
        if request.pageToken.isEmpty { all.inForce = page.inForce }
        request.pageToken = page.nextPageToken
      } while !request.pageToken.isEmpty && all.lines.count < limit
    } catch {
      throw Failure(error, server: client.server)
    }
    let report = ChangesReport(all)
    Terminal.write(
      lines: json || output == .json
        ? [report.json.text] : report.lines(columns: Terminal.current().columns))
  }
}
