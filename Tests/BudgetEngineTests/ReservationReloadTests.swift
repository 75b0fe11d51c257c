import BudgetModel
import Dispatch
import Testing

@testable import BudgetEngine

/// Reservations that are open while a reload gives their budget a window of another length: what they
/// keep back may be spent in the new one.
@Suite struct ReservationReloadTests {
  private func day(_ window: String) throws -> BudgetDefinition {
    try budget(.provider, "p", 100, window)
  }

  private func fixture() throws -> (EngineFixture, Reservation) {
    let fixture = EngineFixture([try day("7d")])
    let held = try #require(fixture.held(90, fixture.charged(provider: "p"), at: at(1)))
    return (fixture, held)
  }

  @Test func theNewWindowKeepsItBack() throws {
    let (fixture, first) = try fixture()
    _ = fixture.reload([try day("8d")], at: at(2))
    let charged = fixture.charged(provider: "p")
    #expect(fixture.reserved(.provider, "p", at: at(2)) == 90)
    #expect(fixture.held(11, charged, at: at(2)) == nil)
    let second = try #require(fixture.held(10, charged, at: at(2)))
    #expect(fixture.record(90, charged, settling: first.id, at: at(3)) == .freed)
    #expect(fixture.report(.provider, "p", at: at(3))?.spend.pico == 90)
    #expect(fixture.reserved(.provider, "p", at: at(3)) == 10)
    #expect(fixture.engine.release(second.id, at: at(4)))
    #expect(fixture.reserved(.provider, "p", at: at(4)) == 0)
    #expect(fixture.engine.openReservations == 0)
  }

  @Test func itIsFreeAgainHoweverTheReservationEnds() throws {
    var (fixture, first) = try fixture()
    _ = fixture.reload([try day("8d")], at: at(2))
    #expect(fixture.engine.release(first.id, at: at(3)))
    #expect(fixture.reserved(.provider, "p", at: at(3)) == 0)
    (fixture, first) = try self.fixture()
    _ = fixture.reload([try day("8d")], at: at(2))
    #expect(fixture.expire(at: at(200)) == 1)
    #expect(fixture.reserved(.provider, "p", at: at(200)) == 0)
    #expect(fixture.held(100, fixture.charged(provider: "p"), at: at(200)) != nil)
  }

  /// A record that is not to be had after all keeps it back again.
  @Test func aRecordThatFailsKeepsItBackAgain() throws {
    let (fixture, first) = try fixture()
    let before = fixture.charged(provider: "p")
    _ = fixture.reload([try day("8d")], at: at(2))
    for charged in [before, fixture.charged(provider: "p")] {
      let settlement = try #require(fixture.settle(50, charged, first.id, at: at(3)))
      #expect(fixture.reserved(.provider, "p", at: at(3)) == 0)
      fixture.engine.unsettled(settlement.word, at: at(3))
      fixture.engine.abandon(PicoUSD(pico: 50), of: charged)
      #expect(fixture.reserved(.provider, "p", at: at(3)) == 90)
    }
  }

  /// Names that were looked up before the reload are looked up anew: the old window takes no more.
  @Test func theOldWindowTakesNoMore() throws {
    let (fixture, _) = try fixture()
    let before = fixture.charged(provider: "p")
    _ = fixture.reload([try day("8d")], at: at(2))
    #expect(fixture.reserve(5, before, at: at(3)) == .outdated)
  }

  @Test func itGoesWithTheBudgetFromWindowToWindowAndBack() throws {
    let (fixture, first) = try fixture()
    _ = fixture.reload([try day("8d")], at: at(2))
    let second = try #require(fixture.held(4, fixture.charged(provider: "p"), at: at(2)))
    _ = fixture.reload([try day("9d")], at: at(3))
    #expect(fixture.reserved(.provider, "p", at: at(3)) == 94)
    #expect(fixture.held(7, fixture.charged(provider: "p"), at: at(3)) == nil)
    // Back to the first: its own is its own, and counts once.
    _ = fixture.reload([try day("7d")], at: at(4))
    #expect(fixture.reserved(.provider, "p", at: at(4)) == 94)
    #expect(fixture.engine.release(first.id, at: at(5)))
    #expect(fixture.reserved(.provider, "p", at: at(5)) == 4)
    #expect(fixture.engine.release(second.id, at: at(5)))
    #expect(fixture.reserved(.provider, "p", at: at(5)) == 0)
    #expect(fixture.held(100, fixture.charged(provider: "p"), at: at(5)) != nil)
  }

  /// Reservations end while reloads give their budget one window after the other: nothing is left over,
  /// and nothing is freed twice.
  @Test func nothingIsLostBetweenTheWindows() throws {
    for round in 0..<40 {
      let fixture = EngineFixture([try budget(.provider, "p", 1_000_000, "7d")])
      let reloads = [try day("8d"), try day("9d"), try day("7d")]
      let charged = fixture.charged(provider: "p")
      let held = (0..<300).compactMap { _ in fixture.held(10, charged, at: at(1)) }
      DispatchQueue.concurrentPerform(iterations: 2) { thread in
        if thread == 0 {
          for budget in reloads { _ = fixture.reload([budget], at: at(2)) }
        } else {
          for reservation in held.dropLast(50) {
            _ = fixture.engine.release(reservation.id, at: at(2))
          }
        }
      }
      #expect(fixture.reserved(.provider, "p", at: at(3)) == 500, "round \(round)")
      for reservation in held.suffix(50) { _ = fixture.engine.release(reservation.id, at: at(3)) }
      #expect(fixture.reserved(.provider, "p", at: at(3)) == 0, "round \(round)")
      #expect(fixture.engine.openReservations == 0)
    }
  }

  /// The same over a restart: the budget that the ledger knows by its old window goes on in the new one.
  @Test func aRestartKeepsItBackInTheNewWindow() throws {
    let fixture = EngineFixture([try day("8d")])
    let old = BudgetKey(scope: .provider, name: "p", windowText: "7d")
    let sum = HeldSum(
      untilSeconds: HeldSum.seconds(from: at(100)), endsSeconds: HeldSum.seconds(from: at(100)),
      amount: PicoUSD(pico: 90))
    fixture.engine.inherit([HeldBudget(key: old, sums: [sum])], at: at(1))
    #expect(fixture.reserved(.provider, "p", at: at(1)) == 90)
    #expect(fixture.held(11, fixture.charged(provider: "p"), at: at(1)) == nil)
    // Not where a window of the name has stayed: that one has its own part of the same reservations.
    let two = EngineFixture([try day("8d")])
    let stays = BudgetKey(scope: .provider, name: "p", windowText: "8d")
    two.engine.inherit(
      [HeldBudget(key: old, sums: [sum]), HeldBudget(key: stays, sums: [sum])], at: at(1))
    #expect(two.reserved(.provider, "p", at: at(1)) == 90)
  }
}
