import ArgumentParser
import BudgetClient

/// Which candidates are within budget.
struct FilterCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "filter", abstract: "Asks which deployments are within budget.",
    discussion: """
      Exits 0 when a candidate is allowed, 2 when all are over budget: then standard error has the \
      message that LiteLLM gives.
      """)

  @Option(
    help: ArgumentHelp(
      "A candidate; may be repeated.",
      valueName: "id=..,model=..[,provider=..][,model_name=..]"),
    transform: { try DeploymentArgument($0) })
  var deployment: [DeploymentArgument] = []

  @Option(help: ArgumentHelp("A tag of the request; may be repeated.", valueName: "tag"))
  var tag: [String] = []

  @Option(
    help: ArgumentHelp(
      "Take the server's configured deployments of this name.", valueName: "name"))
  var modelName: String?

  @Option(
    help: ArgumentHelp("What the request is expected to cost.", valueName: "usd"))
  var estimatedCost: Double?

  @Option(help: "Write table or json.")
  var output = OutputFormat.table

  @OptionGroup var server: ServerOptions
  @ParentCommand var root: Budgetctl

  func validate() throws {
    if deployment.isEmpty, modelName == nil {
      throw ValidationError("give candidates with --deployment, or a --model-name")
    }
    if let estimatedCost { try Dollars.check(estimatedCost, option: "--estimated-cost") }
  }

  func run() async throws {
    let client = try server.client(root: root.server)
    let request = FilterDeploymentsRequest(
      deployments: deployment.map(\.deployment), tags: tag, modelName: modelName ?? "",
      estimatedCostUSD: estimatedCost ?? 0)
    let response: FilterDeploymentsResponse
    do throws(BudgetClientError) {
      response = try await client.filterDeployments(request)
    } catch {
      throw Failure(error, server: client.server)
    }
    let report = FilterReport(response, to: request, nowUnixMilliseconds: BudgetsCommand.now())
    switch output {
    case .table: Terminal.write(lines: report.lines)
    case .json: Terminal.write(lines: [report.json.text])
    }
    if response.isExhausted { throw Failure(response.message, .overBudget) }
  }
}
