import ArgumentParser
import BudgetClient
import JSONWriting

/// Shows what reservations hold.
struct ReservationsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reservations", abstract: "Shows what reservations hold back, budget by budget.",
    discussion: """
      RESERVED is held back and not spent; LEFT is what may still be reserved. A budget whose LEFT is 0 \
      while its limit is not spent denies since all of it is reserved: it has room again as reservations \
      are settled below their amounts, released, or end by their time. OPEN counts reservations of this \
      node; one counts in each of its budgets.
      """)

  @Flag(help: "Only budgets in which something is reserved.")
  var open = false

  @Option(help: "Write table or json.")
  var output = OutputFormat.table

  @OptionGroup var server: ServerOptions
  @ParentCommand var root: Budgetctl

  func run() async throws {
    let client = try server.client(root: root.server)
    let report: ReservationsReport
    do throws(BudgetClientError) {
      report = ReservationsReport(
        try await client.allBudgets(.everyScope), isOpenOnly: open)
    } catch {
      throw Failure(error, server: client.server)
    }
    switch output {
    case .table: Terminal.write(lines: report.lines(columns: Terminal.current().columns))
    case .json: Terminal.write(lines: [report.json.text])
    }
  }
}

extension GetProviderBudgetsRequest {
  /// Asks for all budgets.
  static var everyScope: Self {
    var request = GetProviderBudgetsRequest()
    request.includesDeployments = true
    request.includesTags = true
    request.includesModels = true
    request.includesPools = true
    return request
  }
}
