import BudgetModel
import Foundation
import Locks
import Testing

@testable import SpendLedger

extension LedgerFixture {
  /// The budget of a slot, as the test's client names it.
  func budget(_ slot: Int) -> BudgetKey { client.heard.withLock { $0.keys[slot] } }

  /// The window that a slot is charged in now.
  func openWindow(_ slot: Int) -> BudgetWindow? {
    client.heard.withLock { $0.open[Int32(slot)] }
  }

  /// A window of the fleet of which nothing is known, lasting a day.
  func fleetWindow(_ slot: Int, from start: Int64, lasting length: Int64 = 86_400_000)
    -> FleetWindow
  {
    FleetWindow(
      window: BudgetWindow(
        key: budget(slot), start: Timestamp(unixMilliseconds: start),
        end: Timestamp(unixMilliseconds: start + length)),
      at: client.now())
  }

  func adoption(
    _ slot: Int, moving: [Timestamp], closing: [Timestamp] = [], to start: Int64
  ) -> FleetAdoption {
    FleetAdoption(moving: moving, closing: closing, record: fleetWindow(slot, from: start))
  }

  /// The spend of every window, over all origins, as a start after a kill at this instant finds it.
  func amountsAfterKill() throws -> [WindowName: Int128] {
    let copy = try copyOfAnInstant()
    defer { try? FileManager.default.removeItem(atPath: copy) }
    var settings = LedgerSettings(directory: copy)
    settings.readClock = self.settings.readClock
    try SpendLedger.open(settings).close()
    let store = try LedgerStore(path: DataDirectory.databasePath(in: copy), probe: nil)
    let budgets = try LedgerReading.read(store, .init(keyBound: .max)) { _ in }.budgets
    var amounts: [WindowName: Int128] = [:]
    for (id, key) in budgets {
      for row in try store.fleet.balances(ofBudget: id, openedIn: .min ... .max)
      where row.amount > .zero {
        amounts[WindowName(budget: key.name, start: row.key.start), default: 0] += row.amount.pico
      }
    }
    return amounts
  }
}

/// A window, by the name of its budget and its start.
struct WindowName: Hashable {
  var budget: String
  var start: Int64
}

/// All that `changes` told, put together as a listener would.
struct Told {
  private var totals: [WindowName: [String: Int128]] = [:]

  mutating func take(_ changes: LedgerChanges) {
    if changes.isComplete { totals = [:] }
    for total in changes.totals {
      let name = WindowName(
        budget: total.window.key.name, start: total.window.start.unixMilliseconds)
      totals[name, default: [:]][total.origin] = total.amount.pico
    }
  }

  /// The listener knows what it has moved.
  mutating func moved(_ starts: [Int64], ofBudget budget: String) {
    for start in starts { totals[WindowName(budget: budget, start: start)] = nil }
  }

  var amounts: [WindowName: Int128] {
    totals.mapValues { $0.values.reduce(0, +) }.filter { $0.value > 0 }
  }
}
