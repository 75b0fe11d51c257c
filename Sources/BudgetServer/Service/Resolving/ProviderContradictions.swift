import BudgetModel
import Synchronization

/// Reports deployments for which a request names another provider than the model list does, each
/// once. The requests are obeyed, and each lane counts its own (`RequestCounts`).
///
/// Any lane may note one, without a lock and, once its deployment was reported, without allocating.
final class ProviderContradictions: Sendable {
  /// The hashes of the deployments met so far; 0: nothing is here.
  private let seen: InlineArray<1_024, Atomic<UInt64>>
  private let seed = UInt64.random(in: 1 ... .max)
  private let reported = Atomic<Int>(0)
  private let report: @Sendable (String) -> Void

  /// How many deployments are reported; contradictions of further ones are counted only.
  static let deploymentBound = 256

  /// `report` takes the line of a deployment that is met the first time: on the request path, so it
  /// must not wait.
  init(report: @escaping @Sendable (String) -> Void) {
    seen = InlineArray { _ in Atomic(0) }
    self.report = report
  }

  /// Notes one: `deployment` is of `listed` in the model list, and the request says `given`.
  func note(
    deployment: NameBytes, listed: @autoclosure () -> String?, given: NameBytes
  ) {
    guard reported.load(ordering: .relaxed) < Self.deploymentBound, isNew(deployment) else {
      return
    }
    let number = reported.add(1, ordering: .relaxed).newValue
    guard number <= Self.deploymentBound else { return }
    var line =
      "a request names the provider '\(given.text)' for the deployment '\(deployment.text)', which "
      + "is of '\(listed() ?? "")' in the model list: the request's provider counts; give the model "
      + "list's, or none, in filters and in records"
    if number == Self.deploymentBound {
      line += "; further deployments are counted only (budgetd_contradicting_providers_total)"
    }
    report(line)
  }

  /// Whether the deployment was not met before; it is from now on.
  /// Of two lanes that meet it at once, one is told so.
  private func isNew(_ deployment: NameBytes) -> Bool {
    let hash = max(deployment.hash(seed: seed), 1)
    // A quarter of the places is in use at most, so a free one is near.
    for step in 0..<seen.count {
      let place = (Int(truncatingIfNeeded: hash) &+ step) & (seen.count - 1)
      var found = seen[place].load(ordering: .relaxed)
      if found == 0 {
        let exchange = seen[place].compareExchange(
          expected: 0, desired: hash, ordering: .relaxed)
        if exchange.exchanged { return true }
        found = exchange.original
      }
      if found == hash { return false }
    }
    return false
  }
}
