import BudgetEngine
import BudgetModel
import Dispatch
import Locks

/// Takes the sampler's points, once a minute, off the request path.
final class SpendSampling: Sendable {
  private let engine: BudgetEngine
  private let requests: @Sendable () -> RequestReading
  private let time: any TimeSource
  private let sampler = Locked(SpendSampler())
  private let queue = DispatchQueue(label: "budgetd.sampling", qos: .utility)

  init(_ sources: PageSources) {
    engine = sources.engine
    requests = sources.requests
    time = sources.time
  }

  /// Takes the first point, and from now on one a minute for as long as this object lives.
  func start() {
    sample()
    waitForNext()
  }

  private func waitForNext() {
    let interval = DispatchTimeInterval.nanoseconds(Int(SpendSampler.interval.nanoseconds))
    queue.asyncAfter(deadline: .now() + interval) { [weak self] in
      self?.sample()
      self?.waitForNext()
    }
  }

  /// The points so far.
  var points: SpendSampler { sampler.withLock { $0 } }

  /// The slots belong to other budgets from now on.
  func forget(_ slots: [Int32]) {
    if !slots.isEmpty { sampler.withLock { $0.forget(slots) } }
  }

  private func sample() {
    let now = time.now()
    var charged: [PicoUSD] = []
    for budget in engine.catalog.budgets {
      let slot = Int(budget.slot)
      if slot >= charged.count {
        charged.append(
          contentsOf: repeatElement(SpendSampler.Point.unknown, count: slot + 1 - charged.count))
      }
      charged[slot] = engine.report(on: budget, at: now).charged
    }
    let point = SpendSampler.Point(at: now, charged: charged, requests: requests().requests)
    sampler.withLock { $0.add(point) }
  }
}
