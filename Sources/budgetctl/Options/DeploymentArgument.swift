import ArgumentParser
import BudgetClient

/// A candidate as the command line gives it: `id=a,model=openai/gpt-4o,provider=openai`.
struct DeploymentArgument: Equatable {
  var deployment = Deployment()

  private static let form = "id=ID,model=MODEL[,provider=PROVIDER][,model_name=NAME]"

  /// Throws where a part is no `key=value`, or its key is unknown or given twice.
  init(_ argument: String) throws(ValidationError) {
    func refused(_ why: String, _ part: Substring) -> ValidationError {
      ValidationError("'\(String(part).escapedForTerminal)' \(why): write \(Self.form)")
    }
    var seen: Set<Substring> = []
    for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
      guard let equals = part.firstIndex(of: "=") else { throw refused("is no key=value", part) }
      let key = part[..<equals]
      let value = String(part[part.index(after: equals)...])
      guard seen.insert(key).inserted else { throw refused("is given twice", key) }
      switch key {
      case "id": deployment.id = value
      case "model": deployment.model = value
      case "provider": deployment.provider = value
      case "model_name": deployment.modelName = value
      default: throw refused("is no key of a deployment", key)
      }
    }
  }
}
