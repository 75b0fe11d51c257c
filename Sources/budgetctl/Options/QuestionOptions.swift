import ArgumentParser
import BudgetClient
import BudgetModel

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

/// A candidate as the command line gives it: `id=a,model=openai/gpt-4o,provider=openai`.
struct DeploymentArgument: Equatable {
  var deployment = Deployment()

  private static let form = "id=ID,model=MODEL[,provider=PROVIDER][,model_name=NAME]"

  /// Throws where a part is not `key=value`, or its key is unknown or given twice.
  init(_ argument: String) throws(ValidationError) {
    func refused(_ why: String, _ part: Substring) -> ValidationError {
      ValidationError("'\(String(part).printable)' \(why): write \(Self.form)")
    }
    var seen: Set<Substring> = []
    for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
      guard let equals = part.firstIndex(of: "=") else { throw refused("is not key=value", part) }
      let key = part[..<equals]
      let value = String(part[part.index(after: equals)...])
      guard seen.insert(key).inserted else { throw refused("is given twice", key) }
      switch key {
      case "id": deployment.id = value
      case "model": deployment.model = value
      case "provider": deployment.provider = value
      case "model_name": deployment.modelName = value
      default: throw refused("is not a key of a deployment", key)
      }
    }
  }
}

/// US dollars on the command line, within what one request may name.
enum Dollars {
  /// Throws, naming the option, where `amount` is not such an amount.
  static func check(_ amount: Double, option: String) throws {
    do throws(MoneyError) {
      _ = try PicoUSD(dollars: amount, atMost: .maximumRecord)
    } catch {
      let why =
        switch error {
        case .notANumber: "this is not a number"
        case .negative: "an amount is not negative"
        case .tooLarge: "this is more than one request may name"
        }
      throw ValidationError("\(option) \(amount): \(why); give 0 to 9000000000 dollars")
    }
  }
}
