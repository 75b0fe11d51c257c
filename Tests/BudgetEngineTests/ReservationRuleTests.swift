import BudgetModel
import Locks
import Testing

@testable import BudgetEngine

/// Windows, modes, reloads, patterns and earlier lives of reservations.
@Suite struct ReservationRuleTests {
  @Test func aHoldGoesOnInTheNextWindow() throws {
    let fixture = EngineFixture([try budget(.provider, "p", 100, "10s")])
    let charged = fixture.charged(provider: "p")
    fixture.record(90, provider: "p", at: at(1))
    let reservation = try #require(fixture.held(10, charged, at: at(2)))
    #expect(fixture.held(1, charged, at: at(2)) == nil)
    // The window is over, the request is not: it is charged in the next one.
    #expect(fixture.reserved(.provider, "p", at: at(60)) == 10)
    #expect(fixture.held(91, charged, at: at(60)) == nil)
    _ = try #require(fixture.held(90, charged, at: at(60)))
    #expect(!fixture.passes("p", at: at(60)))
    #expect(fixture.record(10, charged, settling: reservation.id, at: at(61)) == .freed)
    #expect(fixture.report(.provider, "p", at: at(61))?.spend.pico == 10)
    #expect(!fixture.passes("p", at: at(61)))
  }

  @Test func aBudgetThatOnlyWatchesCounts() throws {
    let fixture = EngineFixture([
      try DynamicHouse.entry(.tag, "watch", 10, "1d", .shadow),
      try DynamicHouse.entry(.tag, "ice", nil, "1d", .freeze),
      try DynamicHouse.entry(.tag, "free", nil, "1d"),
    ])
    let watched = fixture.charged(tags: ["watch", "free"])
    let reservation = try #require(fixture.held(50, watched, at: at(0)))
    #expect(fixture.report(.tag, "watch", at: at(0))?.shadowed == 1)
    #expect(fixture.reserved(.tag, "watch", at: at(0)) == 50)
    #expect(fixture.reserve(1, fixture.charged(tags: ["ice", "free"]), at: at(0)) == .denied)
    #expect(fixture.reserved(.tag, "free", at: at(0)) == 50)
    #expect(fixture.record(1, watched, settling: reservation.id, at: at(0)) == .freed)
  }

  /// The function is called when a reservation is made and none was open before, and not for a denial.
  @Test func onlyTheFirstOpenReservationIsToldOf() throws {
    let fixture = EngineFixture([try budget(.tag, "t", 100, "1d")])
    let charged = fixture.charged(tags: ["t"])
    let told = Locked(0)
    fixture.engine.whenReservationsBegin { told.withLock { $0 += 1 } }
    #expect(fixture.reserve(101, charged, at: at(0)) == .denied)
    #expect(told.withLock { $0 } == 0)
    let first = try #require(fixture.held(1, charged, at: at(0)))
    _ = try #require(fixture.held(1, charged, at: at(0)))
    #expect(told.withLock { $0 } == 1)
    #expect(fixture.engine.release(first.id, at: at(1)))
    _ = try #require(fixture.held(1, charged, at: at(1)))
    #expect(told.withLock { $0 } == 1)
  }

  /// Locks are taken in another order, by slots, which differ from node to node.
  @Test func denialsComeInTheOrderOfTheRequest() throws {
    let names = (0..<200).map { "t\($0)" }
    let fixture = EngineFixture(try names.map { try budget(.tag, $0, 1, "1d") })
    let charged = fixture.charged(tags: Array(names.reversed()))
    var attempt = ReservationAttempt()
    let ask = ReservationAsk(ReservedAmount(PicoUSD(pico: 2)))
    #expect(fixture.reserve(ask, charged, &attempt, at: at(0)) == .denied)
    #expect(attempt.denials.map(\.slot) == charged.slots)
    attempt.maximumDenials = 3
    #expect(fixture.reserve(ask, charged, &attempt, at: at(0)) == .denied)
    #expect(attempt.denials.map(\.slot) == Array(charged.slots.prefix(3)))
    #expect(attempt.denialsOmitted == 197)
  }

  @Test func aReloadLeavesReservationsTheirSlots() throws {
    let fixture = EngineFixture([try budget(.tag, "t", 100, "1d")])
    let charged = fixture.charged(tags: ["t"])
    let first = try #require(fixture.held(40, charged, at: at(0)))
    let second = try #require(fixture.held(10, charged, at: at(0)))
    // Windows of another length: another slot, which carries what is kept back in the old one.
    _ = fixture.reload([try budget(.tag, "t", 100, "2d")], at: at(1))
    #expect(fixture.reserved(.tag, "t", at: at(1)) == 50)
    let now = fixture.charged(tags: ["t"])
    #expect(now.slots != charged.slots)
    #expect(fixture.record(30, now, settling: first.id, at: at(2)) == .freed)
    #expect(fixture.report(.tag, "t", at: at(2))?.spend.pico == 30)
    // Dropped altogether, and back: nobody else gets the slot while something is kept back in it.
    _ = fixture.reload([], at: at(3))
    _ = fixture.reload([try budget(.tag, "x", 100, "1d")], at: at(4))
    #expect(fixture.charged(tags: ["x"]).slots != charged.slots)
    #expect(fixture.engine.release(second.id, at: at(5)))
    #expect(fixture.engine.openReservations == 0)
  }

  @Test func aLimitThatIsLoweredDeniesWhatDoesNotFit() throws {
    let fixture = EngineFixture([try budget(.tag, "t", 100, "1d")])
    let charged = fixture.charged(tags: ["t"])
    _ = try #require(fixture.held(60, charged, at: at(0)))
    _ = fixture.reload([try budget(.tag, "t", 50, "1d")], at: at(1))
    #expect(!fixture.passes("", tags: ["t"], at: at(1)))
    #expect(fixture.held(1, charged, at: at(1)) == nil)
  }

  @Test func aReservationMakesAndKeepsABudgetOfAPattern() throws {
    let house = DynamicHouse([try DynamicHouse.pattern(.tag, "user-*", 100, "10s")])
    let fixture = EngineFixture(house.engine)
    let names = DynamicHouse.Names(tags: ["user-1"])
    let charged = house.charged(names, in: house.engine.catalog, at: 0)
    let reservation = try #require(fixture.held(60, charged, at: DynamicHouse.time(0)))
    #expect(house.engine.dynamicBudgetCount == 1)
    #expect(fixture.held(41, charged, at: DynamicHouse.time(0)) == nil)
    #expect(house.decision(names, estimate: 41, at: 0).isExhausted)
    #expect(!house.decision(names, estimate: 40, at: 0).isExhausted)
    // Nothing was ever spent there, and it stays for the hold's sake.
    #expect(house.engine.sweepDynamicBudgets(atMost: 1_000, at: DynamicHouse.time(60_000)) == 0)
    #expect(house.engine.release(reservation.id, at: DynamicHouse.time(60_000)))
    #expect(house.engine.sweepDynamicBudgets(atMost: 1_000, at: DynamicHouse.time(60_000)) == 1)
    // A look-up from before is void now.
    #expect(fixture.reserve(1, charged, at: DynamicHouse.time(60_000)) == .outdated)
    #expect(house.engine.openReservations == 0)
  }

  @Test func aNameWithoutRoomIsDeniedWhereRequestsAre() throws {
    for full in [DynamicBudgetsFull.open, .deny] {
      let house = DynamicHouse(
        [try DynamicHouse.pattern(.tag, "user-*", 100, "10s")], bound: 1, full: full)
      let fixture = EngineFixture(house.engine)
      let catalog = house.engine.catalog
      let first = house.charged(DynamicHouse.Names(tags: ["user-1"]), in: catalog, at: 0)
      _ = try #require(fixture.held(100, first, at: DynamicHouse.time(0)))
      let second = house.charged(DynamicHouse.Names(tags: ["user-2"]), in: catalog, at: 0)
      let isHeld = fixture.held(1_000, second, at: DynamicHouse.time(0)) != nil
      #expect(isHeld == (full == .open))
    }
  }

  // MARK: - Estimates

  @Test func anEstimateIsCutToWhatAnIdleBudgetHas() throws {
    let fixture = EngineFixture([
      try budget(.tag, "small", 100, "1d"), try budget(.tag, "large", 1_000_000_000, "1d"),
    ])
    let charged = fixture.charged(tags: ["small", "large"])
    let estimate = ReservedAmount(
      PicoUSD(pico: 5_000), variance: CostVariance(deviation: PicoUSD(pico: 5_000)),
      isEstimated: true)
    var attempt = ReservationAttempt()
    guard
      case .held(let held) = fixture.reserve(
        ReservationAsk(estimate), charged, &attempt, at: at(0))
    else {
      Issue.record("a cold estimate locks a small budget")
      return
    }
    #expect(held.amount.pico == 100)
    #expect(fixture.reserved(.tag, "small", at: at(0)) == 100)
    // With something kept back already, it is judged like any other.
    #expect(fixture.reserve(ReservationAsk(estimate), charged, &attempt, at: at(0)) == .denied)
    // The caller's own amount is never cut.
    #expect(fixture.engine.release(held.id, at: at(0)))
    #expect(fixture.held(5_000, charged, at: at(0)) == nil)
  }

  @Test func manyEstimatesKeepBackLessThanEachByItself() throws {
    let fixture = EngineFixture([try budget(.tag, "t", 1_000_000_000, "1d")])
    let charged = fixture.charged(tags: ["t"])
    let estimate = ReservedAmount(
      PicoUSD(pico: 10_000), variance: CostVariance(deviation: PicoUSD(pico: 10_000)),
      isEstimated: true)
    var attempt = ReservationAttempt()
    var held: [Reservation] = []
    for _ in 0..<100 {
      guard
        case .held(let one) = fixture.reserve(
          ReservationAsk(estimate), charged, &attempt, at: at(0))
      else { continue }
      held.append(one)
    }
    // 100 means, and three deviations of the sum: ten times that of one.
    let expected: Int128 = 100 * 10_000 + 3 * 100_000
    #expect(fixture.reserved(.tag, "t", at: at(0)) == expected)
    for one in held { #expect(fixture.engine.release(one.id, at: at(0))) }
    #expect(fixture.reserved(.tag, "t", at: at(0)) == 0)
  }

  // MARK: - In a fleet

  @Test func aCeilingPutsOffAndOnlySpendDenies() throws {
    let fixture = EngineFixture([try budget(.tag, "t", 100, "10s")])
    let charged = fixture.charged(tags: ["t"])
    let found = try #require(NameBytes.with("t") { fixture.engine.catalog.budget(.tag, $0) })
    fixture.record(10, tags: ["t"], at: at(0))
    fixture.engine.changeClaims(of: found, at: at(0)) { use, claims in
      #expect(use.spend.pico == 10 && use.windowStart == at(0))
      claims.ceiling = PicoUSD(pico: 50)
      claims.windowStart = use.windowStart
      claims.usableUntil = at(5)
      claims.others = PicoUSD(pico: 30)
    }
    #expect(fixture.engine.budgetsInUse(at: at(1)).map(\.name) == ["t"])
    let held = try #require(fixture.held(35, charged, at: at(1)))
    var attempt = ReservationAttempt()
    func reserve(_ pico: Int128, at now: Timestamp) -> ReservationAnswer {
      fixture.reserve(
        ReservationAsk(ReservedAmount(PicoUSD(pico: pico))), charged, &attempt, at: now)
    }
    // Five are left of the ceiling; others' claims are old news.
    #expect(reserve(6, at: at(1)) == .deferred)
    #expect(attempt.lacking.map(\.needed.pico) == [6])
    #expect(fixture.engine.key(of: attempt.lacking[0])?.name == "t")
    #expect(reserve(90, at: at(1)) == .deferred)
    #expect(reserve(91, at: at(1)) == .denied)
    // Used for too long, or of another window: all is asked for.
    #expect(reserve(1, at: at(6)) == .deferred)
    #expect(reserve(1, at: at(20)) == .deferred)
    // So near to the limit what is freed is the fleet's.
    fixture.engine.changeClaims(of: found, at: at(1)) { _, claims in claims.isTight = true }
    #expect(fixture.engine.release(held.id, at: at(1)))
    #expect(fixture.engine.use(of: found, at: at(1)).claims.ceiling?.pico == 10)
    fixture.engine.changeClaims(of: found, at: at(1)) { _, claims in claims = SlotClaims() }
    #expect(fixture.engine.budgetsInUse(at: at(1)).isEmpty)
    #expect(fixture.held(90, charged, at: at(1)) != nil)
  }

  /// Or every window would be followed by the next one, with nobody to spend in it.
  @Test func aClaimOnAWindowThatHasEndedIsNoUse() throws {
    let fixture = EngineFixture([try budget(.tag, "t", 100, "10s")])
    let charged = fixture.charged(tags: ["t"])
    let found = try #require(NameBytes.with("t") { fixture.engine.catalog.budget(.tag, $0) })
    fixture.record(10, tags: ["t"], at: at(0))
    fixture.engine.changeClaims(of: found, at: at(0)) { use, claims in
      (claims.ceiling, claims.windowStart) = (PicoUSD(pico: 50), use.windowStart)
      claims.others = PicoUSD(pico: 30)
    }
    #expect(fixture.engine.budgetsInUse(at: at(9)).count == 1)
    #expect(fixture.engine.budgetsInUse(at: at(11)).isEmpty)
    _ = try #require(fixture.held(5, charged, ttl: 60_000, at: at(9)))
    #expect(fixture.engine.budgetsInUse(at: at(11)).count == 1)
  }

  /// Of a name's budget a small part is held without asking; beyond that the fleet is asked, while it can be.
  @Test func ofNamesBudgetsLittleIsHeldWithoutAsking() throws {
    let house = DynamicHouse([try DynamicHouse.pattern(.tag, "user-*", 100, "10s")])
    let fixture = EngineFixture(house.engine)
    let names = DynamicHouse.Names(tags: ["user-a"])
    let (now, key) = (
      DynamicHouse.time(1), BudgetKey(scope: .tag, name: "user-a", windowText: "10s")
    )
    house.record(20, names, at: 0)
    let charged = house.charged(names, in: house.engine.catalog, at: 1)
    var attempt = ReservationAttempt()
    func reserve(_ pico: Int128) -> ReservationAnswer {
      let ask = ReservationAsk(ReservedAmount(PicoUSD(pico: pico)))
      return fixture.reserve(ask, charged, &attempt, at: now)
    }
    func isHeld(_ answer: ReservationAnswer) -> Bool {
      if case .held = answer { true } else { false }
    }
    house.engine.askForNames(true)
    // A twentieth of 80.
    #expect(isHeld(reserve(4)) && house.engine.budgetsInUse(at: now).isEmpty)
    #expect(reserve(1) == .deferred && reserve(81) == .denied)
    // The fleet's word holds in its window.
    house.engine.changeClaims(ofDynamic: key, at: now) { use, claims in
      #expect(use.limit?.pico == 100)
      (claims.ceiling, claims.windowStart) = (PicoUSD(pico: 60), use.windowStart)
    }
    #expect(house.engine.budgetsInUse(at: now).map(\.name) == ["user-a"])
    #expect(isHeld(reserve(36)) && reserve(1) == .deferred)
    // While nobody can be asked it goes by what this node knows.
    house.engine.askForNames(false)
    #expect(isHeld(reserve(20)))
    house.engine.askForNames(true)
    // More than a small part of what is left is told without a request that waits.
    house.engine.changeClaims(ofDynamic: key, at: now) { _, claims in claims = SlotClaims() }
    #expect(house.engine.budgetsInUse(at: now).map(\.name) == ["user-a"])
  }

  @Test func anExtensionIsCoveredFirst() throws {
    let fixture = EngineFixture([try budget(.tag, "t", 100, "100s")])
    let charged = fixture.charged(tags: ["t"])
    let found = try #require(NameBytes.with("t") { fixture.engine.catalog.budget(.tag, $0) })
    fixture.record(10, tags: ["t"], at: at(0))
    let held = try #require(fixture.held(5, charged, ttl: 10_000, at: at(0)))
    #expect(fixture.engine.uncovered(held.id, by: 60_000, at: at(0)).isEmpty, "nobody is asked")
    fixture.engine.changeClaims(of: found, at: at(0)) { _, claims in
      (claims.ceiling, claims.coveredUntil) = (PicoUSD(pico: 50), at(30))
    }
    #expect(fixture.engine.uncovered(held.id, by: 29_000, at: at(1)).isEmpty)
    let rooms = fixture.engine.uncovered(held.id, by: 30_000, at: at(1))
    #expect(rooms.count == 1 && rooms.allSatisfy { $0.needed == .zero })
    #expect(fixture.engine.uncovered(held.id, by: 5_000, at: at(1)).isEmpty, "it lasts so long")
    #expect(fixture.engine.settledElsewhere(held.id) && !fixture.engine.settledElsewhere(held.id))
    #expect(fixture.engine.reservationCounts.settled == 1)
    #expect(fixture.engine.uncovered(held.id, by: 30_000, at: at(1)).isEmpty)
  }

  /// A budget that others alone claim is not in use on this node.
  @Test func whatOthersClaimIsNoUse() throws {
    let fixture = EngineFixture([try budget(.tag, "t", 100, "10s")])
    let found = try #require(NameBytes.with("t") { fixture.engine.catalog.budget(.tag, $0) })
    fixture.record(10, tags: ["t"], at: at(0))
    fixture.engine.changeClaims(of: found, at: at(0)) { $1.others = PicoUSD(pico: 30) }
    #expect(fixture.engine.use(of: found, at: at(1)).claims.others.pico == 30)
    #expect(fixture.engine.budgetsInUse(at: at(1)).isEmpty)
  }

  /// An outage policy sets others' parts aside for those who only filter; a ceiling is the node's own.
  @Test func aCeilingHoldsWhateverIsSetAside() throws {
    let fixture = EngineFixture([try budget(.tag, "t", 100, "10s")])
    let charged = fixture.charged(tags: ["t"])
    let found = try #require(NameBytes.with("t") { fixture.engine.catalog.budget(.tag, $0) })
    fixture.record(10, tags: ["t"], at: at(0))
    fixture.engine.withhold(of: found, nodes: 10, nextNodes: 10, at: at(0))
    fixture.engine.changeClaims(of: found, at: at(0)) { _, claims in
      claims.ceiling = PicoUSD(pico: 50)
    }
    #expect(fixture.held(40, charged, at: at(1)) != nil)
    #expect(fixture.held(1, charged, at: at(1)) == nil)
    #expect(fixture.engine.budgetsInUse(at: at(1)).count == 1)
  }

  /// The denial does not speak of a cushion that nobody keeps: nothing was free before.
  @Test func aDenialTellsWhatIsKeptAndNotWhatWasAsked() throws {
    let fixture = EngineFixture([try budget(.provider, "p", 0, "1d")])
    let charged = fixture.charged(provider: "p")
    var asked = ReservedAmount(PicoUSD(pico: 10))
    asked.isEstimated = true
    asked.variance = CostVariance(ofCushion: PicoUSD(pico: 50))
    var attempt = ReservationAttempt()
    let answer = fixture.reserve(
      ReservationAsk(asked, ttl: 1_000, key: nil), charged, &attempt, at: at(0))
    #expect(answer == .denied)
    let denial = try #require(attempt.denials.first)
    #expect(denial.reserved == .zero && denial.spend == .zero && denial.limit == .zero)
  }

  // MARK: - Earlier lives

  @Test func anEarlierLifesHoldsAreCountedAndFreed() throws {
    var settings = ReservationSettings()
    settings.notesHolds = true
    let budgets = [try budget(.provider, "p", 100, "1d"), try budget(.tag, "t", 100, "1d")]
    let before = EngineFixture(budgets, reservations: settings)
    let both = before.charged(provider: "p", tags: ["t"])
    let first = try #require(before.held(30, both, ttl: 50_000, at: at(0)))
    let second = try #require(
      before.held(20, before.charged(provider: "p"), ttl: 50_000, at: at(0)))
    #expect(before.engine.extend(first.id, by: 100_000, at: at(1)) == at(101))
    let noted = before.engine.takeChangedHolds(atMost: 10)
    #expect(Set(noted.map(\.key.name)) == ["p", "t"])
    #expect(before.engine.takeChangedHolds(atMost: 10).isEmpty)

    settings.life &+= 1
    let after = EngineFixture(budgets, reservations: settings)
    after.engine.inherit(noted, at: at(2))
    #expect(after.reserved(.provider, "p", at: at(2)) == 50)
    #expect(after.reserved(.tag, "t", at: at(2)) == 30)
    #expect(after.held(51, both, at: at(2)) == nil)
    #expect(!after.engine.release(first.id, at: at(2)))
    // A settle frees its own part, wherever the record names a budget of it.
    let settlement = try #require(after.settle(7, both, first.id, at: at(3)))
    #expect(settlement.kind == .inherited)
    #expect(after.reserved(.provider, "p", at: at(3)) == 20)
    #expect(after.reserved(.tag, "t", at: at(3)) == 0)
    after.engine.unsettled(settlement.word, at: at(3))
    after.engine.abandon(PicoUSD(pico: 7), of: both)
    #expect(after.reserved(.tag, "t", at: at(3)) == 30)
    #expect(after.expire(at: at(49)) == 0)
    #expect(after.expire(at: at(51)) == 1)
    #expect(after.reserved(.provider, "p", at: at(51)) == 30)
    #expect(after.expire(at: at(102)) >= 1)
    #expect(after.reserved(.provider, "p", at: at(102)) == 0)
    #expect(after.record(5, both, settling: second.id, at: at(103)) == .late)
    #expect(after.engine.openReservations == 0)
  }

  /// A second record of one never ends another of the same second.
  @Test func anEarlierLifesReservationIsFreedOnce() throws {
    var settings = ReservationSettings()
    settings.notesHolds = true
    let budgets = [try budget(.provider, "p", 100, "1d")]
    let before = EngineFixture(budgets, reservations: settings)
    let charged = before.charged(provider: "p")
    let first = try #require(before.held(20, charged, ttl: 50_000, at: at(0)))
    let second = try #require(before.held(20, charged, ttl: 50_000, at: at(0)))
    settings.life &+= 1
    let after = EngineFixture(budgets, reservations: settings)
    #expect(!after.engine.hasHolds)
    after.engine.inherit(before.engine.takeChangedHolds(atMost: 10), at: at(1))
    // Nothing is open, and yet ends are to be looked for.
    #expect(after.engine.openReservations == 0 && after.engine.hasHolds)

    let lost = try #require(after.settle(7, charged, first.id, at: at(2)))
    #expect(after.settle(7, charged, first.id, at: at(2))?.kind == .underWay)
    #expect(after.reserved(.provider, "p", at: at(2)) == 20)
    after.engine.unsettled(lost.word, at: at(2))
    #expect(after.reserved(.provider, "p", at: at(2)) == 40)
    #expect(after.record(7, charged, settling: first.id, at: at(3)) == .inherited)
    #expect(after.record(7, charged, settling: first.id, at: at(3)) == .again)
    #expect(after.reserved(.provider, "p", at: at(3)) == 20)
    #expect(after.record(9, charged, settling: second.id, at: at(4)) == .inherited)
    #expect(after.record(9, charged, settling: second.id, at: at(4)) == .again)
    #expect(after.reserved(.provider, "p", at: at(4)) == 0)
    _ = after.engine.expireReservations(atMost: 10, at: at(60))
    #expect(!after.engine.hasHolds)
  }

  @Test func adoptionsThatHaveEndedAreForgotten() throws {
    var adopted = AdoptedReservations()
    func id(_ place: UInt64) -> ReservationID {
      ReservationID(life: 1, place: place, until: at(10), amount: PicoUSD(pico: 1), node: "n")
    }
    let place = Reservations.Place(slab: 0, index: 1, life: 1)
    for number: UInt64 in 0..<64 {
      adopted.note(id(number), at: place, endsSeconds: 10, now: at(1))
    }
    #expect(adopted.place(of: id(0)) != nil)
    adopted.note(id(64), at: place, endsSeconds: 30, now: at(20))
    #expect(adopted.place(of: id(0)) == nil && adopted.place(of: id(64)) != nil)
  }

  @Test func aBudgetOfAPatternIsInherited() throws {
    let patterns = [try DynamicHouse.pattern(.tag, "user-*", 100, "10s")]
    let house = DynamicHouse(patterns)
    let key = BudgetKey(scope: .tag, name: "user-1", windowText: "10s")
    let gone = BudgetKey(scope: .tag, name: "other", windowText: "10s")
    let sums = [HeldSum(untilSeconds: 50, endsSeconds: 50, amount: PicoUSD(pico: 70))]
    house.engine.inherit(
      [HeldBudget(key: key, sums: sums), HeldBudget(key: gone, sums: sums)],
      at: DynamicHouse.time(1_000))
    #expect(house.engine.dynamicBudgetCount == 1)
    let names = DynamicHouse.Names(tags: ["user-1"])
    #expect(house.decision(names, estimate: 31, at: 2_000).isExhausted)
    #expect(house.engine.expireReservations(atMost: 10, at: DynamicHouse.time(50_000)) == 1)
    #expect(!house.decision(names, estimate: 100, at: 50_000).isExhausted)
  }
}

extension EngineFixture {
  init(_ engine: BudgetEngine) { self.engine = engine }
}
