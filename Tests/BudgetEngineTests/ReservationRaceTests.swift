import BudgetModel
import Dispatch
import Locks
import SeededRandom
import Testing

@testable import BudgetEngine

/// Reservations of several threads.
@Suite struct ReservationRaceTests {
  @Test func eachReservationEndsOnce() throws {
    let fixture = EngineFixture([
      try budget(.provider, "p", nil, "1000w"), try budget(.tag, "t", nil, "1000w"),
    ])
    let engine = fixture.engine
    let charged = fixture.charged(provider: "p", tags: ["t"])
    let rounds = 60
    let each = 64
    let winners = Locked((settled: 0, released: 0))
    for round in 0..<rounds {
      let now = at(Double(round * 10))
      let made = (0..<each).compactMap { _ in fixture.held(5, charged, ttl: 2_000, at: now) }
      #expect(made.count == each)
      let later = at(Double(round * 10) + 2.1)
      DispatchQueue.concurrentPerform(iterations: 4) { thread in
        var (settled, released) = (0, 0)
        for index in made.indices {
          let id = made[(index + thread * 17) % made.count].id
          switch thread {
          case 0, 1:
            guard let settlement = fixture.settle(1, charged, id, at: later) else { continue }
            engine.commit(PicoUSD(pico: 1), of: charged, at: later)
            engine.settled(settlement.word, cost: PicoUSD(pico: 1))
            if settlement.kind == .freed { settled += 1 }
          case 2: if engine.release(id, at: later) { released += 1 }
          default: engine.expireReservations(atMost: 3, at: later)
          }
        }
        winners.withLock {
          $0.settled += settled
          $0.released += released
        }
      }
      fixture.expire(at: later)
      #expect(engine.openReservations == 0)
      #expect(fixture.reserved(.tag, "t", at: later) == 0)
    }
    let counts = engine.reservationCounts
    let won = winners.withLock { $0 }
    #expect(counts.settled == UInt64(won.settled) && counts.released == UInt64(won.released))
    #expect(counts.settled + counts.released + counts.expired == UInt64(rounds * each))
    // Every record was taken, the winners' and the others'.
    #expect(
      fixture.report(.provider, "p", at: at(Double(rounds * 10)))?.spend.pico
        == Int128(2 * rounds * each))
  }

  /// Two budgets with room for one more: each thread wants one of them and a third. A hold that were
  /// shown and taken back would deny somebody whom every serial order admits.
  @Test func nobodyIsDeniedForAHoldThatIsTakenBack() throws {
    let fixture = EngineFixture([
      try budget(.provider, "full", 1, "1000w"), try budget(.provider, "wide", 8, "1000w"),
      try budget(.tag, "t", 8, "1000w"),
    ])
    let engine = fixture.engine
    let full = fixture.charged(provider: "full", tags: ["t"])
    let wide = fixture.charged(provider: "wide", tags: ["t"])
    _ = try #require(fixture.held(1, fixture.charged(provider: "full"), at: at(0)))
    let faults = Locked<[String]>([])
    DispatchQueue.concurrentPerform(iterations: 8) { thread in
      for _ in 0..<3_000 {
        if thread % 2 == 0 {
          // Never fits: nobody may see anything of it.
          if fixture.held(8, full, at: at(1)) != nil { faults.withLock { $0.append("held") } }
        } else {
          // Four of these at most at a time, two each: always fit.
          guard let held = fixture.held(2, wide, at: at(1)) else {
            faults.withLock { $0.append("denied") }
            continue
          }
          if !engine.release(held.id, at: at(1)) { faults.withLock { $0.append("lost") } }
        }
      }
    }
    #expect(faults.withLock { $0 } == [])
    #expect(fixture.reserved(.tag, "t", at: at(1)) == 0)
  }

  @Test func noMoreIsHeldThanFits() throws {
    let names = (0..<5).map { "t\($0)" }
    let fixture = EngineFixture(try names.map { try budget(.tag, $0, 100, "1000w") })
    let held = Locked([String: Int128]())
    DispatchQueue.concurrentPerform(iterations: 8) { thread in
      var random = SeededRandom(seed: UInt64(thread))
      for _ in 0..<500 {
        let tags = Set((0..<3).map { _ in random.pick(names) }).sorted()
        guard fixture.held(7, fixture.charged(tags: tags), at: at(1)) != nil else { continue }
        held.withLock { for tag in tags { $0[tag, default: 0] += 7 } }
      }
    }
    for name in names {
      #expect(fixture.reserved(.tag, name, at: at(1)) == held.withLock { $0[name] ?? 0 })
      #expect((fixture.reserved(.tag, name, at: at(1)) ?? 0) <= 100)
    }
  }

  @Test func retriesOfManyThreadsMakeOneReservation() throws {
    let fixture = EngineFixture([try budget(.tag, "t", 1_000, "1000w")])
    let charged = fixture.charged(tags: ["t"])
    for number in 0..<100 {
      let key = ReservationKey(digest: UInt128(number) << 60 | UInt128(number), fingerprint: 1)
      let made = Locked((held: 0, known: Set<ReservationID>()))
      DispatchQueue.concurrentPerform(iterations: 4) { _ in
        switch fixture.reserve(10, charged, key: key, at: at(1)) {
        case .held(let one):
          made.withLock {
            $0.held += 1
            $0.known.insert(one.id)
          }
        case .known(let one): made.withLock { _ = $0.known.insert(one.id) }
        default: Issue.record("neither held nor known")
        }
      }
      let (count, ids) = made.withLock { $0 }
      #expect(count == 1 && ids.count == 1)
    }
    #expect(fixture.reserved(.tag, "t", at: at(1)) == 1_000)
  }
}
