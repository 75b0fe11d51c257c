import ArgumentParser
import BudgetClient

/// The request that filter and explain ask about.
struct QuestionOptions: ParsableArguments {
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

  func validate() throws {
    if let estimatedCost { try Dollars.check(estimatedCost, option: "--estimated-cost") }
  }

  var request: FilterDeploymentsRequest {
    FilterDeploymentsRequest(
      deployments: deployment.map(\.deployment), tags: tag, modelName: modelName ?? "",
      estimatedCostUSD: estimatedCost ?? 0)
  }
}
