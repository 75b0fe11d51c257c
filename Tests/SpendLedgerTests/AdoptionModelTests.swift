import BudgetModel
import Foundation
import Locks
import SeededRandom
import Testing

@testable import SpendLedger

/// Random records, moves, failures at every step of storage, kills and restarts against a model:
/// moving spend between windows never makes or loses any.
@Suite struct AdoptionModelTests {
  private struct Run {
    let fixture: LedgerFixture
    let folds: Bool
    var random: SeededRandom
    var model: [WindowName: Int128] = [:]
    var told = Told()

    var seed: String { "seed \(random.seed)" }

    /// A fold of the ledger's own may have met a fault: the file is to be read before the next.
    func settleIfFolding() { if folds { fixture.ledger.settle() } }

    func sums(_ amounts: [WindowName: Int128]) -> [String: Int128] {
      amounts.reduce(into: [:]) { $0[$1.key.budget, default: 0] += $1.value }
    }
  }

  @Test(arguments: 0..<8)
  func whatMovesIsNeitherMadeNorLost(round: Int) throws {
    let random = SeededRandom(seed: UInt64.random(in: 0...UInt64.max))
    let fixture = try LedgerFixture {
      $0.foldInterval = round % 2 == 0 ? .zero : .seconds(3_600)
      $0.failureWindow = .zero
    }
    fixture.client.heard.withLock { $0.windowMilliseconds = 8_000 }
    var run = Run(fixture: fixture, folds: round % 2 == 0, random: random)
    for step in 0..<60 {
      try Self.record(&run)
      if Int.random(in: 0..<2, using: &run.random) == 0 { try Self.adopt(&run) }
      if Int.random(in: 0..<3, using: &run.random) == 0 {
        run.told.take(try fixture.ledger.changes())
        #expect(run.told.amounts == run.model, "\(run.seed), step \(step)")
      }
      if Int.random(in: 0..<8, using: &run.random) == 0 {
        #expect(try fixture.amountsAfterKill() == run.model, "\(run.seed), step \(step)")
      }
      if Int.random(in: 0..<16, using: &run.random) == 0 { try fixture.restart() }
      fixture.client.advance(milliseconds: Int64.random(in: 0..<5_000, using: &run.random))
    }
    try fixture.restart()
    #expect(try fixture.amountsAfterKill() == run.model, "\(run.seed), at the end")
    run.told.take(try fixture.ledger.changes())
    #expect(run.told.amounts == run.model, "\(run.seed), at the end")
  }

  private static func record(_ run: inout Run) throws {
    run.settleIfFolding()
    let slots = Set((0..<3).map { _ in Int32.random(in: 0..<4, using: &run.random) }).sorted()
    let amount = Int128(UInt64.random(in: 0 ... .max, using: &run.random))
    let fault = Int.random(in: 0..<10, using: &run.random)
    if fault == 0 { run.fixture.probe.fail(.commit, code: 13) }
    if fault == 1 { run.fixture.probe.fail(.commit, code: 1_034) }
    if fault == 2 { run.fixture.probe.fail(.committed, code: 1_034) }
    let token = run.fixture.submit(PicoUSD(pico: amount), slots: slots)
    try #require(run.fixture.client.wait(), "\(run.seed)")
    if run.fixture.client.outcome(token) == .unknown {
      try #require(run.fixture.client.wait(), "\(run.seed)")
    }
    run.fixture.probe.heal()
    let outcome = run.fixture.client.resolution(token) ?? run.fixture.client.outcome(token)
    guard outcome == .recorded, amount > 0 else { return }
    for slot in slots {
      let window = try #require(run.fixture.openWindow(Int(slot)), "\(run.seed)")
      let name = WindowName(
        budget: window.key.name, start: window.start.unixMilliseconds)
      run.model[name, default: 0] += amount
    }
  }

  private static func adopt(_ run: inout Run) throws {
    run.settleIfFolding()
    let slots = Set((0..<2).map { _ in Int.random(in: 0..<4, using: &run.random) }).sorted()
    let adoptions = slots.map { adoption($0, &run) }
    let faults: [(StorageStep, Int32)] = [
      (.write, 13), (.write, 778), (.commit, 13), (.commit, 1_034), (.committed, 1_034),
    ]
    let fault = Int.random(in: 0..<faults.count * 2, using: &run.random)
    if fault < faults.count {
      run.fixture.probe.fail(faults[fault].0, code: faults[fault].1)
      do throws(LedgerError) {
        try run.fixture.ledger.adopt(adoptions)
        // A fold of the ledger's own met the fault, where it folds at every chance.
        #expect(run.folds, "\(run.seed)")
      } catch {
        // The file is read again before anything else is done.
        #expect(error != .closed, "\(run.seed), \(run.fixture.ledger.state)")
      }
      run.fixture.probe.heal()
      // A second fault while the file is read again fails the ledger for good.
      run.fixture.ledger.settle()
      // Done or not: the sums are the same, also with charges that come in between.
      if Bool.random(using: &run.random) { try record(&run) }
      let amounts = try run.fixture.amountsAfterKill()
      #expect(run.sums(amounts) == run.sums(run.model), "\(run.seed)")
    }
    do {
      try run.fixture.ledger.adopt(adoptions)
    } catch {
      Issue.record("\(error), \(run.seed), \(run.fixture.ledger.state)")
      throw error
    }
    for adoption in adoptions {
      let window = adoption.record.window
      let name = WindowName(budget: window.key.name, start: window.start.unixMilliseconds)
      let gone = adoption.moving.map(\.unixMilliseconds).filter { $0 != name.start }
      for start in gone {
        let from = WindowName(budget: name.budget, start: start)
        if let amount = run.model.removeValue(forKey: from) {
          run.model[name, default: 0] += amount
        }
      }
      run.told.moved(gone, ofBudget: name.budget)
      let adopted = run.fixture.client.heard.withLock { heard in
        heard.adopted.last { $0.spent.window.key == window.key }
      }
      #expect(adopted?.spent.spend.pico == run.model[name] ?? 0, "\(run.seed)")
    }
  }

  /// Moves some of a budget's windows to one of them, or to one of the fleet's own.
  private static func adoption(_ slot: Int, _ run: inout Run) -> FleetAdoption {
    let key = run.fixture.budget(slot)
    let now = run.fixture.client.now().unixMilliseconds
    let starts = run.model.keys.filter { $0.budget == key.name }.map(\.start).sorted()
    let moving = starts.filter { _ in Bool.random(using: &run.random) }
    let closing = starts.filter { _ in Int.random(in: 0..<4, using: &run.random) == 0 }
    let isKnown = Bool.random(using: &run.random)
    let start =
      isKnown
      ? starts.randomElement(using: &run.random) ?? now
      : now
        - Int64.random(
          in: 0..<4_000, using: &run.random)
    var adoption = run.fixture.adoption(
      slot, moving: moving.map { Timestamp(unixMilliseconds: $0) },
      closing: closing.map { Timestamp(unixMilliseconds: $0) }, to: start)
    adoption.record.window.end.unixMilliseconds =
      now + Int64.random(in: 0..<8_000, using: &run.random)
    return adoption
  }
}
