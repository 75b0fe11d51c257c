import BudgetModel
import Documents

// Warnings about settings that are accepted but may not be meant.

extension ConfigReader {
  /// How many deployments of one group a filter call can name.
  static let maximumGroup = 1_024

  /// Groups that are too large to be asked for by name.
  mutating func warnOfLargeGroups() {
    var sizes: [ExactText: Int] = [:]
    for deployment in deployments { sizes[ExactText(deployment.modelName), default: 0] += 1 }
    for (name, size) in sizes.sorted(by: { $0.key.text < $1.key.text })
    where size > Self.maximumGroup {
      warnings.add(
        line: modelListLine, "model_list",
        "\(size) deployments share the model_name \(DocumentProblem.quoted(name.text)): more than "
          + "\(Self.maximumGroup) cannot be filtered by that name")
    }
  }
}
