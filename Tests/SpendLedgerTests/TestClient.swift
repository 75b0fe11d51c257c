import BudgetModel
import Dispatch
import Locks

@testable import SpendLedger

/// A caller of the ledger: budgets by slot, windows opened as an engine would, outcomes kept.
final class TestClient: LedgerClient {
  struct Heard: Sendable {
    var now = Timestamp(unixMilliseconds: 1_700_000_000_000)
    var windowMilliseconds: Int64 = 86_400_000
    var keys: [BudgetKey] = (0..<8).map {
      BudgetKey(scope: .provider, name: "p\($0)", windowText: "1d")
    }
    var open: [Int32: BudgetWindow] = [:]
    var outcomes: [UInt64: LedgerOutcome] = [:]
    var resolved: [UInt64: LedgerOutcome] = [:]
    var batchSizes: [Int] = []
    var events: [LedgerEvent] = []
    /// How many of them somebody has waited for.
    var eventsHeard = 0
    var adopted: [AdoptedWindow] = []
    /// Budgets that entries or patterns name.
    var places: [BudgetKey: BudgetPlace] = [:]
    /// The order of events: told by the client and by the storage probe.
    var order: [String] = []
  }

  let heard: Locked<Heard>
  private let bell = DispatchSemaphore(value: 0)
  private let eventBell = DispatchSemaphore(value: 0)
  /// Closed: `label` waits, so that records pile up behind it.
  private let gate = DispatchSemaphore(value: 0)
  private let isGated = Locked(false)
  /// Rung when a batch has come to the gate.
  let atGate = DispatchSemaphore(value: 0)

  init(_ heard: Heard = Heard()) { self.heard = Locked(heard) }

  func now() -> Timestamp { heard.withLock { $0.now } }

  func advance(milliseconds: Int64) {
    heard.withLock { $0.now.unixMilliseconds += milliseconds }
  }

  func label(_ slots: [Int32], at now: Timestamp, into windows: inout [BudgetWindow]) {
    if isGated.withLock({ $0 }) {
      atGate.signal()
      gate.wait()
    }
    let labels = heard.withLock { heard in
      slots.map { slot in
        let key = heard.keys[Int(slot)]
        if var window = heard.open[slot], window.end >= now {
          window.key = key
          heard.open[slot] = window
          return window
        }
        let end = Timestamp(unixMilliseconds: now.unixMilliseconds + heard.windowMilliseconds)
        let window = BudgetWindow(key: key, start: now, end: end)
        heard.open[slot] = window
        return window
      }
    }
    windows.append(contentsOf: labels)
  }

  func closeGate() { isGated.withLock { $0 = true } }

  func openGate() {
    isGated.withLock { $0 = false }
    gate.signal()
  }

  func finished(_ batch: LedgerBatch) {
    heard.withLock { heard in
      heard.order.append("finished")
      heard.batchSizes.append(batch.count)
      for index in 0..<batch.count {
        heard.outcomes[batch.token(at: index).low] = batch.outcome(at: index)
      }
    }
    for _ in 0..<batch.count { bell.signal() }
  }

  func resolved(_ batch: LedgerBatch) {
    heard.withLock { heard in
      heard.order.append("resolved")
      for index in 0..<batch.count {
        heard.resolved[batch.token(at: index).low] = batch.outcome(at: index)
      }
    }
    bell.signal()
  }

  /// Charges go to the adopted windows from now on.
  func adopted(_ windows: [AdoptedWindow], at now: Timestamp) {
    heard.withLock { heard in
      heard.adopted += windows
      for adopted in windows {
        let window = adopted.spent.window
        guard let slot = heard.keys.firstIndex(of: window.key) else { continue }
        heard.open[Int32(slot)] = window
      }
    }
  }

  func places(of budgets: [BudgetKey]) -> [BudgetPlace] {
    heard.withLock { heard in budgets.map { heard.places[$0] ?? .none } }
  }

  func report(_ event: LedgerEvent) {
    heard.withLock { $0.events.append(event) }
    eventBell.signal()
  }

  /// Waits for an event that was not waited for before; false after 10 s.
  func hears(_ isWanted: (LedgerEvent) -> Bool) -> Bool {
    while eventBell.wait(timeout: .now() + 10) == .success {
      let event = heard.withLock { heard in
        heard.eventsHeard += 1
        return heard.events[heard.eventsHeard - 1]
      }
      if isWanted(event) { return true }
    }
    return false
  }

  /// Waits for so many outcomes (a resolved batch counts one); false after 10 s.
  func wait(_ count: Int = 1) -> Bool {
    (0..<count).allSatisfy { _ in bell.wait(timeout: .now() + 10) == .success }
  }

  func outcome(_ token: UInt64) -> LedgerOutcome? { heard.withLock { $0.outcomes[token] } }

  func resolution(_ token: UInt64) -> LedgerOutcome? { heard.withLock { $0.resolved[token] } }
}
