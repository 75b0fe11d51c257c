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

  @Option(help: ArgumentHelp("The provider (default: the model's).", valueName: "provider"))
  var provider: String?

  @Option(parsing: .unconditional, help: ArgumentHelp("What the request cost.", valueName: "usd"))
  var cost: Double

  @Option(help: ArgumentHelp("The deployment that served it.", valueName: "id"))
  var deploymentID: String?

  @Option(help: ArgumentHelp("The model, to derive the provider from.", valueName: "model"))
  var model: String?

  @Option(help: ArgumentHelp("The public model name that was asked for.", valueName: "name"))
  var modelName: String?

  @Option(help: ArgumentHelp("A tag of the request; may be repeated.", valueName: "tag"))
  var tag: [String] = []

  @Option(
    help: ArgumentHelp("Names the record, so that a repetition can be told.", valueName: "key"))
  var key: String?

  @Option(help: "Write table or json.")
  var output = OutputFormat.table

  @OptionGroup var server: ServerOptions
  @ParentCommand var root: Budgetctl

  func validate() throws {
    try Dollars.check(cost, option: "--cost")
    if provider == nil, deploymentID == nil, model == nil, modelName == nil, tag.isEmpty {
      throw ValidationError(
        "say whose cost it is: --provider, --model, --model-name, --deployment-id or --tag")
    }
  }

  func run() async throws {
    let client = try server.client(root: root.server)
    var request = RecordSpendRequest(costUSD: cost)
    request.provider = provider ?? ""
    request.deploymentID = deploymentID ?? ""
    request.model = model ?? ""
    request.modelName = modelName ?? ""
    request.tags = tag
    request.idempotencyKey = key ?? ""
    do throws(BudgetClientError) {
      let response = try await client.recordSpend(request)
      switch output {
      case .table: Terminal.write(lines: [Self.sentence(response, cost: cost)])
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
