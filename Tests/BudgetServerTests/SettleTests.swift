import BudgetEngine
import BudgetModel
import BudgetWire
import NodeFixture
import Testing

@testable import BudgetServer
@testable import SpendLedger

/// Records that settle reservations, through the ledger and back.
@Suite struct SettleTests {
  private func reserve(_ fixture: RecorderFixture, _ pico: Int128) throws -> ReservationID {
    var attempt = ReservationAttempt()
    let answer = fixture.engine.reserve(
      ReservationAsk(ReservedAmount(PicoUSD(pico: pico))), over: fixture.charged,
      at: ReservationMoment(catalog: fixture.engine.catalog, now: fixture.time.now()),
      with: &attempt)
    guard case .held(let reservation) = answer else {
      throw SettleFault.notHeld("\(answer)")
    }
    return reservation.id
  }

  private enum SettleFault: Error { case notHeld(String) }

  /// As the request path makes it of a record with `reservation_id`; without a key it is implied.
  private func settle(
    _ fixture: RecorderFixture, _ pico: Int128, _ id: ReservationID, key: String? = nil
  ) -> RecordAnswer {
    fixture.recorder.settle(
      SettlingRecord(
        amount: PicoUSD(pico: pico),
        key: RecorderFixture.key(key ?? "settle:\(id.text)", cost: pico),
        isKeyImplied: key == nil, reservation: id),
      to: fixture.charged, token: fixture.nextToken(), at: fixture.time.now())
  }

  private func reserved(_ fixture: RecorderFixture) -> Int128? {
    NameBytes.with("p") { fixture.engine.catalog.budget(.provider, $0) }
      .map { fixture.engine.report(on: $0, at: fixture.time.now()).reserved.pico }
  }

  @Test(arguments: [Durability.commit, .memory])
  func theSameAgainIsADuplicateAndAnotherCostAPartOfTheBill(_ durability: Durability) throws {
    let fixture = try RecorderFixture(durability)
    let id = try reserve(fixture, 40)
    #expect(fixture.room == 60)
    _ = settle(fixture, 30, id)
    #expect(fixture.room == 70, "the cost counts at once, and the hold no more")
    fixture.settle()
    #expect(fixture.engine.openReservations == 0)
    _ = settle(fixture, 30, id)
    fixture.settle()
    #expect(fixture.spend == 30, "the same again adds nothing")
    _ = settle(fixture, 5, id)
    fixture.settle()
    fixture.settle()
    #expect(fixture.spend == 35 && fixture.room == 65)
    _ = settle(fixture, 7, id, key: "a key of its own")
    fixture.settle()
    #expect(fixture.spend == 42 && reserved(fixture) == 0)
    let counts = fixture.engine.reservationCounts
    #expect(counts.settled == 1 && counts.again == 2, "the duplicate is not counted")
    if durability == .commit {
      #expect(try fixture.replies() == [1: .ok, 2: .ok, 3: .ok, 4: .ok])
    }
  }

  @Test(arguments: [Durability.commit, .memory], [StorageStep.write, .commit])
  func whatIsNotRecordedIsReservedAgain(_ durability: Durability, _ step: StorageStep) throws {
    let fixture = try RecorderFixture(durability)
    let id = try reserve(fixture, 40)
    fixture.disk.fail(step, code: FaultyDisk.full, times: .max)
    for _ in 0..<2 {
      _ = settle(fixture, 90, id)
      fixture.settle()
      #expect(fixture.room == 60 && reserved(fixture) == 40)
    }
    fixture.disk.heal()
    #expect(fixture.settle())
    _ = settle(fixture, 90, id)
    fixture.settle()
    #expect(fixture.spend == 90 && fixture.room == 10 && reserved(fixture) == 0)
  }

  @Test(arguments: [(StorageStep.commit, Int128(0)), (.committed, 30)])
  func whatIsInDoubtIsReservedNoMoreUntilTheFileTells(
    _ step: StorageStep, _ recorded: Int128
  ) throws {
    let fixture = try RecorderFixture()
    let id = try reserve(fixture, 40)
    fixture.disk.fail(step, code: FaultyDisk.fsyncFailed)
    #expect(settle(fixture, 30, id) == .deferred)
    #expect(fixture.settle())
    #expect(fixture.spend == recorded)
    #expect(reserved(fixture) == (recorded == 0 ? 40 : 0))
    #expect(fixture.engine.openReservations == (recorded == 0 ? 1 : 0))
  }

  /// All that is kept back goes on counting in the next life, until it is settled there.
  @Test func aRestartGoesOnCounting() throws {
    let fixture = try RecorderFixture()
    let options = ServerOptions(configPath: "", dataDirectory: fixture.directory)
    let settings = options.reservations(node: "n")
    #expect(settings.notesHolds && settings.node == "n")
    var earlier = settings
    earlier.life = 1
    let now = fixture.time.now()
    let budgets = BudgetConfiguration(
      budgets: [try providerBudget("p", RecorderFixture.limit)], deployments: [],
      directory: .empty)
    let before = BudgetEngine(configuration: budgets, reservations: earlier, at: now)
    var attempt = ReservationAttempt()
    guard
      case .held(let made) = before.reserve(
        ReservationAsk(ReservedAmount(PicoUSD(pico: 40))), over: fixture.charged,
        at: ReservationMoment(catalog: before.catalog, now: now), with: &attempt)
    else { throw SettleFault.notHeld("") }
    let upkeep = ReservationUpkeep(before, fixture.ledger, fixture.time)
    upkeep.look(before, at: now)
    fixture.ledger.close()
    var ledger = LedgerSettings(directory: fixture.directory)
    ledger.readClock = { ClockReading(wall: now, boottimeMilliseconds: 0, bootID: "") }
    let opened = try SpendLedger.open(ledger)
    defer { opened.close() }
    var later = settings
    later.life = 2
    let after = BudgetEngine(configuration: budgets, reservations: later, at: now)
    after.inherit(opened.opening.held, at: now)
    #expect(RecorderFixture.room(in: after, at: now) == 60)
    let answer = after.addPending(
      PicoUSD(pico: 10), to: fixture.charged, settling: made.id, at: now)
    guard case .pending(let settlement) = answer else { throw SettleFault.notHeld("\(answer)") }
    #expect(settlement.kind == .inherited)
    #expect(RecorderFixture.room(in: after, at: now) == 90)
  }
}
