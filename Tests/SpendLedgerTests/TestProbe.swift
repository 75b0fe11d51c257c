import Locks

@testable import SpendLedger

/// Fails chosen steps of storage, and notes when batches are on disk.
final class TestProbe: StorageProbe {
  private let faults = Locked<[(step: StorageStep, code: Int32, times: Int)]>([])
  private let deed = Locked<(step: StorageStep, body: @Sendable () -> Void)?>(nil)
  private let habit = Locked<(step: StorageStep, body: @Sendable () -> Void)?>(nil)
  private let client: TestClient

  init(_ client: TestClient) { self.client = client }

  func fail(_ step: StorageStep, code: Int32, times: Int = 1) {
    faults.withLock { $0.append((step, code, times)) }
  }

  /// Does something once, on the ledger's thread, when a step comes.
  func once(at step: StorageStep, _ body: @escaping @Sendable () -> Void) {
    deed.withLock { $0 = (step, body) }
  }

  /// Does something, on the ledger's thread, whenever a step comes.
  func always(at step: StorageStep, _ body: @escaping @Sendable () -> Void) {
    habit.withLock { $0 = (step, body) }
  }

  func heal() { faults.withLock { $0 = [] } }

  func fault(at step: StorageStep) -> Int32? {
    if step == .committed { client.heard.withLock { $0.order.append("committed") } }
    let due = deed.withLock { deed -> (@Sendable () -> Void)? in
      guard deed?.step == step else { return nil }
      defer { deed = nil }
      return deed?.body
    }
    due?()
    let habit = habit.withLock { $0 }
    if habit?.step == step { habit?.body() }
    return faults.withLock { faults in
      guard let index = faults.firstIndex(where: { $0.step == step && $0.times > 0 }) else {
        return nil
      }
      faults[index].times -= 1
      return faults[index].code
    }
  }
}
