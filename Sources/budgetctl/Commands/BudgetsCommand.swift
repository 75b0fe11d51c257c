import ArgumentParser
import BudgetClient
import BudgetModel
import Foundation

/// Where the budgets stand.
struct BudgetsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "budgets", abstract: "Shows where the budgets stand.",
    discussion: """
      Amounts are rounded for reading; --output json has them as the server sends them: an array of \
      objects with scope, name, limit_usd (null = unlimited), time_period, spend_usd, \
      remaining_usd, reserved_usd, exhausted and resets_at (ISO 8601, null = no window is open).
      """)

  @Flag(help: "Show deployments' budgets too.")
  var deployments = false

  @Flag(help: "Show tags' budgets too.")
  var tags = false

  @Option(help: "Write table or json.")
  var output = OutputFormat.table

  @Flag(help: "Show names in full, however wide the table gets.")
  var wide = false

  @Flag(help: "Show them again and again, until Ctrl-C; with json one line each time.")
  var watch = false

  @Option(help: ArgumentHelp("How often, with --watch.", valueName: "seconds"))
  var interval = 1.0

  @OptionGroup var server: ServerOptions
  @ParentCommand var root: Budgetctl

  func validate() throws {
    guard interval >= 0.1 && interval <= 3_600 else {
      throw ValidationError("--interval \(interval): give 0.1 to 3600 seconds")
    }
  }

  func run() async throws {
    let client = try server.client(root: root.server)
    if watch {
      await BudgetsWatch(command: self, client: client).run()
      return
    }
    do throws(BudgetClientError) {
      let report = try await report(from: client)
      switch output {
      case .json: Terminal.write(lines: JSONValue.lines(report.json))
      case .table:
        let terminal = Terminal.current()
        Terminal.write(lines: report.lines(table(terminal)))
      }
    } catch {
      throw Failure(error, server: client.server)
    }
  }

  /// The scopes that were asked for.
  var scopes: [BudgetScope] {
    [.provider] + (deployments ? [.deployment] : []) + (tags ? [.tag] : [])
  }

  /// Asks the server.
  func report(from client: BudgetClient) async throws(BudgetClientError) -> BudgetsReport {
    var request = GetProviderBudgetsRequest()
    request.includesDeployments = deployments
    request.includesTags = tags
    return BudgetsReport(try await client.allBudgets(request), scopes: scopes)
  }

  /// The table for this terminal, now.
  func table(_ terminal: Terminal) -> BudgetsTable {
    BudgetsTable(
      isColoured: terminal.isColoured, columns: wide ? nil : terminal.size?.columns,
      nowUnixMilliseconds: Self.now())
  }

  static func now() -> Int64 { Int64(Date().timeIntervalSince1970 * 1_000) }
}
