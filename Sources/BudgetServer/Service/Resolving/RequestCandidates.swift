import BudgetEngine
import BudgetModel
import BudgetWire

/// The candidates of a request, for the sentences that name them. Valid as long as the message is.
enum RequestCandidates {
  /// Those of the message, in the usual shape.
  case plain(NameBytes)
  /// Those of the message, unpacked.
  case unpacked(FilterDeploymentsView)
  /// Those of the model list, by their places in it.
  case configured(ArraySlice<Int32>)

  /// Those that `message`, in its usual shape, asks about.
  init(_ asked: AskedCandidates, of message: NameBytes) {
    switch asked {
    case .list(let length): self = .plain(message[0..<length])
    case .configured(let group): self = .configured(group)
    }
  }

  /// Calls `body` with each candidate, in order.
  func forEach(in catalog: BudgetCatalog, _ body: (DeploymentNames) -> Void) {
    switch self {
    case .plain(let list):
      var plain = PlainDeployments(list)
      while case .deployment(let names) = plain.next() { body(names) }
    case .unpacked(let view):
      for position in 0..<view.deploymentCount { body(view.deployment(at: position)) }
    case .configured(let group):
      for index in group { catalog.withNames(ofDeploymentAt: index, body) }
    }
  }
}

extension BudgetCatalog {
  fileprivate func withNames(ofDeploymentAt index: Int32, _ body: (DeploymentNames) -> Void) {
    deployments.withNames(at: Int(index)) { id, modelName, model, provider in
      var names = DeploymentNames()
      (names.id, names.modelName) = (id, modelName)
      (names.model, names.provider) = (model, provider)
      body(names)
    }
  }
}

extension DenialText {
  /// Adds the sentences of `decision`, whose candidates ascend; `estimate` is a candidate's.
  @inline(__always)
  mutating func add(
    _ decision: borrowing FilterDecision, of candidates: RequestCandidates,
    in catalog: BudgetCatalog, estimate: (Int) -> PicoUSD
  ) {
    var cursor = CandidateCursor(candidates)
    for index in decision.denials.indices {
      let denial = decision.denials[index]
      let estimate = estimate(Int(denial.candidate))
      if addKnown(denial, estimate: estimate) { continue }
      catalog.withDenier(of: denial) { budget in
        // Only a deployment's own budget speaks of the deployment.
        guard denial.scope == .deployment else {
          return add(denial, by: budget, candidate: .unnamed, estimate: estimate)
        }
        cursor.withNames(at: Int(denial.candidate), in: catalog) { names in
          let candidate = DenialText.Candidate(
            id: names.id, modelName: names.modelName, model: names.model)
          add(denial, by: budget, candidate: candidate, estimate: estimate)
        }
      }
    }
    finish(unlisted: Int(decision.denialsOmitted))
  }
}

extension DenialText.Candidate {
  fileprivate static var unnamed: Self {
    Self(id: .absent, modelName: .absent, model: .absent)
  }
}

/// Finds candidates' names, for positions that ascend: the usual shape is read once.
struct CandidateCursor {
  private let candidates: RequestCandidates
  private var plain = PlainDeployments(.absent)
  private var names = DeploymentNames()
  /// How many of `plain` have been read.
  private var read = 0

  init(_ candidates: RequestCandidates) {
    self.candidates = candidates
    if case .plain(let list) = candidates { plain = PlainDeployments(list) }
  }

  mutating func withNames(
    at position: Int, in catalog: BudgetCatalog, _ body: (DeploymentNames) -> Void
  ) {
    switch candidates {
    case .plain:
      while read <= position, case .deployment(let next) = plain.next() {
        names = next
        read += 1
      }
    case .unpacked(let view): names = view.deployment(at: position)
    case .configured(let group):
      return catalog.withNames(ofDeploymentAt: group[group.startIndex + position], body)
    }
    body(names)
  }
}
