import BudgetModel
import Testing

@testable import BudgetEngine

/// One reservation after the other, on one node.
@Suite struct ReservationTests {
  @Test func aReservationKeepsItsAmountBackInEveryBudget() throws {
    let fixture = EngineFixture([
      try budget(.provider, "p", 100, "1d"), try budget(.tag, "t", 50, "1d"),
    ])
    let charged = fixture.charged(provider: "p", tags: ["t"])
    let reservation = try #require(fixture.held(30, charged, at: at(1)))
    #expect(reservation.until == at(121))
    #expect(reservation.read == reservation.id)
    #expect(fixture.reserved(.provider, "p", at: at(1)) == 30)
    #expect(fixture.reserved(.tag, "t", at: at(1)) == 30)
    #expect(fixture.report(.tag, "t", at: at(1))?.spend == .zero)
    // All or nothing: the provider has room, the tag has not.
    #expect(fixture.held(21, charged, at: at(1)) == nil)
    #expect(fixture.reserved(.provider, "p", at: at(1)) == 30)
    #expect(fixture.held(20, charged, at: at(1)) != nil)
    // A filter sees it: the tag is full of what nobody has spent.
    #expect(!fixture.passes("p", tags: ["t"], at: at(1)))
    #expect(fixture.passes("p", at: at(1)))
    #expect(fixture.engine.release(reservation.id, at: at(2)))
    #expect(!fixture.engine.release(reservation.id, at: at(2)))
    #expect(fixture.passes("p", tags: ["t"], at: at(2)))
    #expect(fixture.reserved(.provider, "p", at: at(2)) == 20)
    #expect(fixture.engine.openReservations == 1)
  }

  @Test func aDenialTellsWhatIsReserved() throws {
    var fixture = EngineFixture([try budget(.provider, "p", 100, "1d")])
    let charged = fixture.charged(provider: "p")
    fixture.record(10, provider: "p", at: at(0))
    _ = try #require(fixture.held(60, charged, at: at(1)))
    var attempt = ReservationAttempt()
    let ask = ReservationAsk(ReservedAmount(PicoUSD(pico: 31)))
    #expect(fixture.reserve(ask, charged, &attempt, at: at(1)) == .denied)
    let denial = try #require(attempt.denials.first)
    #expect(denial.spend.pico == 70 && denial.reserved.pico == 60 && denial.limit.pico == 100)
    #expect(denial.scope == .provider && denial.mode == .enforce)
    _ = try #require(fixture.held(30, charged, at: at(1)))
    let decision = fixture.filter([("p", "")], at: at(1))
    #expect(decision.denials.map(\.reserved.pico) == [90])
    var text = DenialText(maximumBytes: 1_000)
    text.add(
      decision.denials[0], name: "p",
      candidate: ConfiguredDeployment(id: "d", modelName: "m", model: "x", provider: "p"),
      estimate: .zero)
    text.finish(unlisted: 0)
    #expect(text.text.contains("p: 1e-10 >= 1e-10 ($9e-11 reserved)"), "\(text.text)")
  }

  @Test func aSettleSwapsHoldAndCostInOneStep() throws {
    let fixture = EngineFixture([
      try budget(.provider, "p", 100, "1d"), try budget(.tag, "a", 100, "1d"),
      try budget(.tag, "b", 100, "1d"),
    ])
    let asked = fixture.charged(provider: "p", tags: ["a"])
    let billed = fixture.charged(provider: "p", tags: ["b"])
    let reservation = try #require(fixture.held(40, asked, at: at(1)))
    let settlement = try #require(fixture.settle(55, billed, reservation.id, at: at(2)))
    #expect(settlement.kind == .freed && settlement.word != 0)
    let verdict = fixture.verdict(.provider, "p", at: at(2))
    #expect(verdict.compared.pico == 55 && verdict.pending.pico == 55)
    #expect(verdict.reserved == .zero)
    #expect(fixture.reserved(.tag, "a", at: at(2)) == 0)
    // Until the record is on disk the reservation is neither open nor over.
    #expect(!fixture.engine.release(reservation.id, at: at(2)))
    #expect(fixture.engine.openReservations == 1)
    fixture.engine.commit(PicoUSD(pico: 55), of: billed, at: at(2))
    fixture.engine.settled(settlement.word, cost: PicoUSD(pico: 55))
    #expect(fixture.report(.tag, "b", at: at(2))?.spend.pico == 55)
    #expect(fixture.engine.openReservations == 0)
    let counts = fixture.engine.reservationCounts
    #expect(counts.settled == 1 && counts.settledAmount.pico == 40 && counts.overrun.pico == 15)
  }

  @Test func whatIsNotRecordedIsKeptBackAgain() throws {
    let fixture = EngineFixture([try budget(.provider, "p", 100, "1d")])
    let charged = fixture.charged(provider: "p")
    let reservation = try #require(fixture.held(40, charged, ttl: 10_000, at: at(1)))
    func fail(at now: Timestamp) throws {
      let settlement = try #require(fixture.settle(90, charged, reservation.id, at: now))
      fixture.engine.unsettled(settlement.word, at: now)
      fixture.engine.abandon(PicoUSD(pico: 90), of: charged)
    }
    try fail(at: at(2))
    #expect(fixture.reserved(.provider, "p", at: at(2)) == 40)
    #expect(fixture.expire(at: at(10)) == 0)
    // Its time is over meanwhile: nothing is kept back any more.
    let settlement = try #require(fixture.settle(90, charged, reservation.id, at: at(10)))
    #expect(fixture.expire(at: at(12)) == 0)
    fixture.engine.unsettled(settlement.word, at: at(12))
    fixture.engine.abandon(PicoUSD(pico: 90), of: charged)
    #expect(fixture.reserved(.provider, "p", at: at(12)) == 0)
    #expect(fixture.engine.reservationCounts.expired == 1)
    #expect(fixture.engine.openReservations == 0)
  }

  @Test func aRecordOfAnEndedReservationIsTakenInFull() throws {
    let fixture = EngineFixture([try budget(.provider, "p", 100, "1d")])
    let charged = fixture.charged(provider: "p")
    let first = try #require(fixture.held(10, charged, ttl: 1_000, at: at(1)))
    let second = try #require(fixture.held(10, charged, at: at(1)))
    let third = try #require(fixture.held(10, charged, at: at(1)))
    #expect(fixture.expire(at: at(3)) == 1)
    #expect(fixture.engine.release(second.id, at: at(3)))
    #expect(fixture.record(7, charged, settling: first.id, at: at(3)) == .late)
    #expect(fixture.record(7, charged, settling: second.id, at: at(3)) == .late)
    #expect(fixture.record(7, charged, settling: third.id, at: at(3)) == .freed)
    #expect(fixture.record(7, charged, settling: third.id, at: at(3)) == .again)
    let foreign = ReservationID(
      life: 1, place: first.id.place, until: at(100), amount: PicoUSD(pico: 1), node: "other")
    #expect(fixture.record(7, charged, settling: foreign, at: at(3)) == .elsewhere)
    #expect(fixture.report(.provider, "p", at: at(3))?.spend.pico == 35)
    #expect(fixture.reserved(.provider, "p", at: at(3)) == 0)
    let counts = fixture.engine.reservationCounts
    #expect(counts.late == 2 && counts.again == 1 && counts.elsewhere == 1)
    // Retries of these records turn out to be duplicates: they are not recorded, and not counted.
    for id in [first.id, third.id, foreign] {
      let retry = try #require(fixture.settle(7, charged, id, at: at(4)))
      fixture.engine.unsettled(retry.word, at: at(4))
      fixture.engine.abandon(PicoUSD(pico: 7), of: charged)
    }
    #expect(fixture.engine.reservationCounts == counts)
    #expect(fixture.report(.provider, "p", at: at(4))?.spend.pico == 35)
  }

  @Test func aSecondSettleWaitsForNothing() throws {
    let fixture = EngineFixture([try budget(.provider, "p", 100, "1d")])
    let charged = fixture.charged(provider: "p")
    let reservation = try #require(fixture.held(10, charged, at: at(1)))
    let first = try #require(fixture.settle(5, charged, reservation.id, at: at(1)))
    let second = try #require(fixture.settle(5, charged, reservation.id, at: at(1)))
    #expect(first.kind == .freed && second.kind == .underWay)
    #expect(Settlement.frees(first.word) && !Settlement.frees(second.word))
    #expect(fixture.reserved(.provider, "p", at: at(1)) == 0)
  }

  @Test func aHoldEndsWithItsTimeAndNeverBefore() throws {
    let fixture = EngineFixture([try budget(.provider, "p", 1_000_000, "1d")])
    let charged = fixture.charged(provider: "p")
    for milliseconds in stride(from: Int64(1_000), through: 70_000, by: 997) {
      _ = try #require(fixture.held(1, charged, ttl: milliseconds, at: at(0)))
    }
    var open = Int(fixture.engine.openReservations)
    var step = 0
    while open > 0 {
      let now = at(Double(step) * 0.016)
      let ended = fixture.expire(at: now)
      let due = stride(from: Int64(1_000), through: 70_000, by: 997)
      let mayBe = due.filter { $0 <= Int64(step) * 16 }.count
      let mustBe = due.filter { $0 <= Int64(step) * 16 - 64 }.count
      open -= ended
      let over = 70 - open
      #expect(over <= mayBe && over >= mustBe, "\(step * 16) ms: \(over) of \(mustBe)...\(mayBe)")
      step += 1
    }
    #expect(fixture.reserved(.provider, "p", at: at(100)) == 0)
  }

  @Test func anExtendedReservationLastsLonger() throws {
    let fixture = EngineFixture([try budget(.provider, "p", 100, "1d")])
    let charged = fixture.charged(provider: "p")
    let reservation = try #require(fixture.held(10, charged, ttl: 5_000, at: at(0)))
    #expect(fixture.engine.extend(reservation.id, by: 10_000, at: at(4)) == at(14))
    // Never earlier than it was.
    #expect(fixture.engine.extend(reservation.id, by: 1_000, at: at(5)) == at(14))
    #expect(fixture.expire(at: at(13.9)) == 0)
    #expect(fixture.expire(at: at(14.2)) == 1)
    #expect(fixture.engine.extend(reservation.id, by: 1_000, at: at(15)) == nil)
  }

  @Test func aRetryFindsTheSameReservation() throws {
    let fixture = EngineFixture([try budget(.provider, "p", 100, "1d")])
    let charged = fixture.charged(provider: "p")
    let key = ReservationKey(digest: 77, fingerprint: 1)
    guard case .held(let first) = fixture.reserve(60, charged, key: key, at: at(0)) else {
      Issue.record("not held")
      return
    }
    #expect(fixture.reserve(60, charged, key: key, at: at(1)) == .known(first))
    let other = ReservationKey(digest: 77, fingerprint: 2)
    #expect(fixture.reserve(60, charged, key: other, at: at(1)) == .clash)
    #expect(fixture.reserved(.provider, "p", at: at(1)) == 60)
    #expect(fixture.engine.release(first.id, at: at(2)))
    #expect(fixture.reserve(60, charged, key: key, at: at(3)) == .known(first))
    #expect(fixture.reserved(.provider, "p", at: at(3)) == 0)
    // A denial is not remembered: there may be room by now.
    let third = ReservationKey(digest: 78, fingerprint: 1)
    #expect(fixture.reserve(101, charged, key: third, at: at(3)) == .denied)
    #expect(fixture.reserve(100, charged, key: third, at: at(3)) != .denied)
  }

  @Test func noMoreAreOpenThanMayBe() throws {
    var settings = ReservationSettings()
    settings.openBound = 3
    let fixture = EngineFixture([try budget(.provider, "p", 100, "1d")], reservations: settings)
    let charged = fixture.charged(provider: "p")
    let first = try #require(fixture.held(1, charged, at: at(0)))
    for _ in 0..<2 { _ = try #require(fixture.held(1, charged, at: at(0))) }
    #expect(fixture.reserve(1, charged, at: at(0)) == .full(bound: 3))
    #expect(fixture.engine.release(first.id, at: at(0)))
    #expect(fixture.held(1, charged, at: at(0)) != nil)
    #expect(fixture.reserved(.provider, "p", at: at(0)) == 3)
  }

  @Test func moreBudgetsThanHaveRoomInPlace() throws {
    let names = (0..<20).map { "t\($0)" }
    let fixture = EngineFixture(try names.map { try budget(.tag, $0, 10, "1d") })
    let charged = fixture.charged(tags: names)
    let reservation = try #require(fixture.held(6, charged, at: at(0)))
    for name in names { #expect(fixture.reserved(.tag, name, at: at(0)) == 6) }
    #expect(fixture.held(6, fixture.charged(tags: ["t19"]), at: at(0)) == nil)
    #expect(fixture.record(2, charged, settling: reservation.id, at: at(1)) == .freed)
    for name in names { #expect(fixture.reserved(.tag, name, at: at(1)) == 0) }
  }
}

extension EngineFixture {
  func verdict(_ scope: BudgetScope, _ name: String, at now: Timestamp) -> BudgetVerdict {
    guard let found = NameBytes.with(name, { engine.catalog.budget(scope, $0) }) else {
      preconditionFailure("no budget of \(name)")
    }
    return engine.verdict(of: found, estimate: .zero, at: now)
  }
}
