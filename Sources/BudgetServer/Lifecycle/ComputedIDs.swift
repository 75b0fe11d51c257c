import BudgetEngine
import BudgetModel
import LiteLLMConfig
import Logging

/// The budgeted deployments whose ids LiteLLM computes: what a reload compares with.
///
/// Such an id changes with each parameter. The spend stays with the old one, whose budget is no more:
/// a reload says so, in dollars. Bound: `maximumKept` deployments.
struct ComputedIDs {
  private static let maximumKept = 10_000
  private static let maximumNamed = 20

  private var kept: [Entry] = []

  /// One deployment, and where it stands in the model list.
  struct Entry {
    var id: String
    var modelName: String
    var model: String
    var index: Int
    var windowText: String
  }

  /// A deployment that goes on under another id.
  struct Move {
    var old: Entry
    var newID: String
  }

  /// The spend that a move leaves behind.
  struct Loss {
    var move: Move
    var spend: PicoUSD
  }

  init(_ config: LiteLLMConfig) {
    guard config.deploymentFacts.contains(where: \.hasComputedID) else { return }
    var windows: [String: String] = [:]
    for budget in config.budgets.budgets where budget.key.scope == .deployment {
      windows[budget.key.name] = budget.key.windowText
    }
    for (deployment, facts) in zip(config.budgets.deployments, config.deploymentFacts) {
      guard facts.hasComputedID, let window = windows[deployment.id] else { continue }
      guard kept.count < Self.maximumKept else { return }
      kept.append(
        Entry(
          id: deployment.id, modelName: deployment.modelName, model: deployment.model,
          index: facts.index, windowText: window))
    }
  }

  /// The deployments that have another id in `config`: the same names, else the same place in the
  /// list, under an id that was not there before.
  func moves(to config: LiteLLMConfig) -> [Move] {
    guard !kept.isEmpty else { return [] }
    let ids = Set(config.budgets.deployments.lazy.map(\.id))
    let gone = kept.filter { !ids.contains($0.id) }
    guard !gone.isEmpty else { return [] }
    let before = Set(kept.lazy.map(\.id))
    var named: [Names: [String]] = [:]
    var placed: [Int: String] = [:]
    for (deployment, facts) in zip(config.budgets.deployments, config.deploymentFacts).reversed()
    where !before.contains(deployment.id) {
      named[Names(deployment.modelName, deployment.model), default: []].append(deployment.id)
      placed[facts.index] = deployment.id
    }
    var taken: Set<String> = []
    return gone.compactMap { old in
      var id = named[Names(old.modelName, old.model)]?.popLast()
      if id == nil || taken.contains(id ?? "") { id = placed[old.index] }
      guard let id, taken.insert(id).inserted else { return nil }
      return Move(old: old, newID: id)
    }
  }

  /// Logs the spend that a reload takes from them: a line for each deployment whose old id has
  /// spent.
  static func write(_ losses: [Loss], to log: Logger) {
    for loss in losses.prefix(maximumNamed) {
      let old = loss.move.old
      log.warning(
        """
        deployment \(old.modelName) (\(old.model)): its id was \(old.id), computed from its \
        parameters, and is now \(loss.move.newID): $\(loss.spend.exactText) spent per \
        \(old.windowText) stay with the old id, and its budget begins at 0: set model_info.id
        """)
    }
    guard losses.count > maximumNamed else { return }
    let more = losses.dropFirst(maximumNamed).reduce(PicoUSD.zero) { $0 + $1.spend }
    log.warning(
      """
      \(losses.count - maximumNamed) more deployments have other ids now, and $\(more.exactText) spent \
      stay with the old ones: set model_info.id
      """)
  }

  private struct Names: Hashable {
    var modelName: String
    var model: String

    init(_ modelName: String, _ model: String) {
      self.modelName = modelName
      self.model = model
    }
  }
}

extension BudgetEngine {
  /// The spend of the old ids of `moves` in their open windows; those that spent nothing are left
  /// out.
  func losses(of moves: [ComputedIDs.Move], at now: Timestamp) -> [ComputedIDs.Loss] {
    let catalog = catalog
    return moves.compactMap { move in
      guard let budget = NameBytes.with(move.old.id, { catalog.budget(.deployment, $0) }) else {
        return nil
      }
      let spend = report(on: budget, at: now).spend
      return spend > .zero ? ComputedIDs.Loss(move: move, spend: spend) : nil
    }
  }
}
