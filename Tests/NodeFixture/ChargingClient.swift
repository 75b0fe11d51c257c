import BudgetEngine
import BudgetModel
import Locks
import SpendLedger

/// Joins a ledger and an engine for tests, in the plainest way: what is committed becomes spend.
final class ChargingClient: LedgerClient {
  private let engine: BudgetEngine
  private let time: ManualTimeSource
  private let sums = Locked(ChargeSums())

  private let disk: ManualDisk

  init(_ engine: BudgetEngine, _ time: ManualTimeSource, disk: ManualDisk) {
    self.engine = engine
    self.time = time
    self.disk = disk
  }

  func now() -> Timestamp { time.now() }

  func label(_ slots: [Int32], at now: Timestamp, into windows: inout [BudgetWindow]) {
    var states: [BudgetWindowState] = []
    engine.label(slots, at: now, into: &states)
    for state in states {
      windows.append(BudgetWindow(key: state.key, start: state.start, end: state.end))
    }
  }

  func finished(_ batch: LedgerBatch) {
    disk.sync()
    sums.withLock { sums in
      sums.begin()
      batch.forEach { _, record, slots in
        if record.outcome == .recorded { sums.add(record.amount, to: slots) }
      }
      engine.commit(sums, at: batch.now)
    }
  }

  func resolved(_ batch: LedgerBatch) {}

  func adopted(_ windows: [AdoptedWindow], at now: Timestamp) {
    for adopted in windows {
      let window = adopted.spent.window
      engine.adopt(
        BudgetWindowState(
          key: window.key, start: window.start, end: window.end, spend: adopted.spent.spend,
          others: adopted.others),
        replacing: adopted.replaced, at: now)
    }
  }

  func places(of budgets: [BudgetKey]) -> [BudgetPlace] { budgets.map { _ in .entry } }

  func report(_ event: LedgerEvent) {}
}
