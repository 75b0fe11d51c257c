import ArgumentParser
import BudgetClient

/// Whose cost it is: the names that a record is charged to, and a reservation held for.
struct ChargeOptions: ParsableArguments {
  @Option(help: ArgumentHelp("The provider (default: the model's).", valueName: "provider"))
  var provider: String?

  @Option(help: ArgumentHelp("The deployment that serves it.", valueName: "id"))
  var deploymentID: String?

  @Option(help: ArgumentHelp("The model, to derive the provider from.", valueName: "model"))
  var model: String?

  @Option(help: ArgumentHelp("The public model name that was asked for.", valueName: "name"))
  var modelName: String?

  @Option(help: ArgumentHelp("A tag of the request; may be repeated.", valueName: "tag"))
  var tag: [String] = []

  func validate() throws {
    if provider == nil, deploymentID == nil, model == nil, modelName == nil, tag.isEmpty {
      throw ValidationError(
        "say whose cost it is: --provider, --model, --model-name, --deployment-id or --tag")
    }
  }

  /// A record of `cost` under these names.
  func record(of cost: Double) -> RecordSpendRequest {
    var request = RecordSpendRequest(costUSD: cost)
    request.provider = provider ?? ""
    request.deploymentID = deploymentID ?? ""
    request.model = model ?? ""
    request.modelName = modelName ?? ""
    request.tags = tag
    return request
  }
}
