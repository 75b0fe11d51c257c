import BudgetEngine
import BudgetModel
import Dispatch
import Locks
import NodeFixture
import SpendLedger
import Testing

@testable import BudgetServer

/// No reload comes between a batch's labels and its charges, and no batch between a reload's two
/// halves.
@Suite struct WindowGateTests {
  /// Notes, whenever the time is asked for, whether the gate is taken.
  private final class WatchingTime: TimeSource {
    let gate = Locked<WindowGate?>(nil)
    let seen = Locked<[Bool]>([])

    func now() -> Timestamp {
      if let gate = gate.withLock({ $0 }) {
        seen.withLock { $0.append(gate.isTaken) }
      }
      return ServiceFixture.start
    }

    func wall() -> Timestamp { ServiceFixture.start }
  }

  @Test func aBatchHoldsTheGateFromItsLabelsToItsEnd() {
    let gate = WindowGate()
    #expect(!gate.isTaken)
    for _ in 0..<2 {
      gate.beginBatch()
      #expect(gate.isTaken)
      // Labels that failed half-way are asked for again.
      gate.beginBatch()
      #expect(gate.isTaken)
      gate.endBatch()
      #expect(!gate.isTaken)
      gate.endBatch()
      gate.withWindows { #expect(gate.isTaken) }
      #expect(!gate.isTaken)
    }
  }

  @Test func aBatchWaitsForAReload() {
    let gate = WindowGate()
    let order = Locked<[String]>([])
    let (begins, ended) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
    gate.withWindows {
      DispatchQueue(label: "test.batch").async {
        begins.signal()
        gate.beginBatch()
        order.withLock { $0.append("batch") }
        gate.endBatch()
        ended.signal()
      }
      begins.wait()
      order.withLock { $0.append("reload") }
    }
    ended.wait()
    #expect(order.withLock { $0 } == ["reload", "batch"])
    #expect(!gate.isTaken)
  }

  @Test func labelsTakeTheGateAndTheOutcomeFreesIt() throws {
    let fixture = try RecorderFixture()
    let gate = fixture.recorder.gate
    var windows: [BudgetWindow] = []
    let batch = fixture.batch([.recorded, .notRecorded(.diskFull)])
    fixture.recorder.label([fixture.slot], at: fixture.time.now(), into: &windows)
    #expect(windows.map(\.key.name) == ["p"])
    #expect(gate.isTaken)
    fixture.recorder.finished(batch)
    #expect(!gate.isTaken)
  }

  @Test func aReloadTakesTheGateAndTellsTheLedger() throws {
    let time = WatchingTime()
    let fixture = try RecorderFixture(time: time)
    time.gate.withLock { $0 = fixture.recorder.gate }
    let report = fixture.recorder.reload(
      BudgetConfiguration(
        budgets: [try providerBudget("p", 100, "2h")], deployments: [], directory: .empty))
    #expect(time.seen.withLock { $0.contains(true) }, "the windows are held still")
    #expect(report.closed.map(\.from.windowText) == ["1h"])
    #expect(!fixture.recorder.gate.isTaken)
    fixture.ledger.close()
    var settings = LedgerSettings(directory: fixture.directory)
    settings.readClock = {
      ClockReading(wall: ServiceFixture.start, boottimeMilliseconds: 0, bootID: "")
    }
    let found = try SpendLedger.open(settings)
    defer { found.close() }
    #expect(found.opening.windows.map(\.window.key.windowText) == ["2h"])
  }
}

extension WindowGate {
  /// Whether a batch or a reload holds the gate.
  var isTaken: Bool {
    if turn.wait(timeout: .now()) == .timedOut { return true }
    turn.signal()
    return false
  }
}
