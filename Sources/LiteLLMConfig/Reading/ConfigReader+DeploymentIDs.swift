import BudgetModel
import Documents

// Ids that LiteLLM computes from a deployment's name and parameters: what they hang on.

extension ConfigReader {
  /// How many deployments are named one by one.
  private static let maximumNamed = 20

  /// Whether the computed id of a budgeted deployment is the one that LiteLLM has. Where it cannot be
  /// known the budget waits, and a warning says so; where it can, a warning says what changes it.
  mutating func isIDKnown(_ deployment: ReadDeployment, _ terms: BudgetTerms) -> Bool {
    let parameters = deployment.parameters
    let place = deployment.place
    if let reason = deployment.isIDNull
      ? "the id is null"
      : deployment.unset.first.map({ "\(DocumentProblem.plain($0)) is not set" })
    {
      wait(deployment, terms, reason: reason)
      return false
    }
    computedIDs += 1
    guard computedIDs <= Self.maximumNamed else { return true }
    warnings.add(
      place.node, place.path,
      "the id of this budgeted deployment is computed from its parameters, so a new key or another "
        + "max_budget gives it another id and a spend of 0: set model_info.id")
    if parameters.dependence != nil
      || parameters.entries.contains(where: { $0.value.dependsOnPyYAML })
    {
      warnings.add(
        place.node, "\(place.path).litellm_params",
        "several mappings are merged here, which PyYAML 6.0.4 reads in another order than 6.0.3, so "
          + "the id of this budgeted deployment differs between hosts: set model_info.id")
    }
    return true
  }

  private mutating func wait(
    _ deployment: ReadDeployment, _ terms: BudgetTerms, reason: String
  ) {
    let place = deployment.place
    waitingBudgets.append(
      WaitingBudget(
        modelName: deployment.names.modelName, model: deployment.names.model, limit: terms.limit,
        windowText: terms.windowText, reason: reason))
    guard waitingBudgets.count <= Self.maximumNamed else { return }
    warnings.add(
      place.node, place.path,
      deployment.isIDNull
        ? "the id is null, so LiteLLM takes a new one at each start: this budget waits for its id and "
          + "nothing is charged to it: write model_info.id"
        : "the id of this budgeted deployment depends on a variable, and \(reason): its budget waits "
          + "for its id and nothing is charged to it: set model_info.id, which records then name")
  }

  /// Counts what was not named one by one.
  mutating func countComputedIDs() {
    for (count, what) in [
      (computedIDs, "budgeted deployments have computed ids: set model_info.id"),
      (waitingBudgets.count, "budgets of deployments wait for their ids: set model_info.id"),
    ] where count > Self.maximumNamed {
      warnings.add(
        line: modelListLine, "model_list", "\(count - Self.maximumNamed) more \(what)")
    }
  }
}
