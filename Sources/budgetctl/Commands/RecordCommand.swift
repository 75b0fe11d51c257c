import ArgumentParser
import BudgetClient
import JSONWriting

/// Records what a request cost.
struct RecordCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "record", abstract: "Records what a request cost.",
    discussion: """
      Exits 70 when no one can say whether the cost is recorded: look at `budgetctl budgets` before \
      recording it again.
      """)

  @Option(parsing: .unconditional, help: ArgumentHelp("What the request cost.", valueName: "usd"))
  var cost: Double

  @OptionGroup var charge: ChargeOptions

  @Option(
    help: ArgumentHelp("Names the record, so that a repetition can be told.", valueName: "key"))
  var key: String?

  @Option(help: "Write table or json.")
  var output = OutputFormat.table

  @OptionGroup var server: ServerOptions
  @ParentCommand var root: Budgetctl

  func validate() throws { try Dollars.check(cost, option: "--cost") }

  func run() async throws {
    let client = try server.client(root: root.server)
    var request = charge.record(of: cost)
    request.idempotencyKey = key ?? ""
    try await Self.record(request, with: client, output: output)
  }

  /// Records, and says what came of it.
  static func record(
    _ request: RecordSpendRequest, with client: BudgetClient, output: OutputFormat
  ) async throws(Failure) {
    do throws(BudgetClientError) {
      let response = try await client.recordSpend(request)
      switch output {
      case .table: Terminal.write(lines: [sentence(response, cost: request.costUSD ?? 0)])
      case .json:
        let json = JSONValue.object([
          ("duplicate", .bool(response.isDuplicate)),
          ("budgets_charged", .integer(response.budgetsCharged)),
        ])
        Terminal.write(lines: [json.text])
      }
    } catch {
      throw Failure(error, server: client.server)
    }
  }

  /// The outcome of the record.
  static func sentence(_ response: RecordSpendResponse, cost: Double) -> String {
    if response.isDuplicate { return "nothing added: this key was recorded before" }
    let amount = HumanText.money(cost)
    switch response.budgetsCharged {
    case 0: return "recorded \(amount), but no budget has these names: nothing was charged"
    case 1: return "recorded \(amount), charged to 1 budget"
    default: return "recorded \(amount), charged to \(response.budgetsCharged) budgets"
    }
  }
}
