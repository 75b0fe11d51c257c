import BudgetModel
import Locks
import Reconciliation
import Testing

@testable import BudgetFleet

/// A machine's clock, and a store's that lies so far from it.
private final class Clocks: Sendable {
  private let milliseconds = Locked<Int64>(1_000)

  var boottime: Int64 { milliseconds.withLock { $0 } }

  func pass(_ duration: Int64) { milliseconds.withLock { $0 += duration } }

  /// The store's time halfway through a round trip that ends now.
  func store(ahead: Int64, roundTrip: Int64) -> Timestamp {
    Timestamp(unixMilliseconds: boottime + ahead - roundTrip / 2)
  }
}

@Suite struct FleetClockTests {
  private let clocks = Clocks()

  private func clock(at time: Int64 = 50_000) -> FleetClock {
    let clocks = clocks
    return FleetClock(
      startingAt: Timestamp(unixMilliseconds: time), boottime: { clocks.boottime },
      wallClock: { Timestamp(unixMilliseconds: 1_768_435_200_000) })
  }

  private func hear(_ clock: FleetClock, ahead: Int64, roundTrip: Int64) -> ClockCorrection {
    clock.heard(
      clocks.store(ahead: ahead, roundTrip: roundTrip), roundTrip: .milliseconds(roundTrip))
  }

  @Test func itStartsWithTheRecoveredTimeAndPasses() {
    let clock = clock()
    #expect(clock.now().unixMilliseconds == 50_000)
    clocks.pass(250)
    #expect(clock.now().unixMilliseconds == 50_250)
  }

  @Test func theFirstHearingCountsInTheMiddleOfItsRoundTrip() {
    let clock = clock(at: 50_000)
    clocks.pass(100)
    #expect(hear(clock, ahead: 300_000, roundTrip: 40) == .moved(milliseconds: 251_000))
    #expect(clock.now().unixMilliseconds == clocks.boottime + 300_000)
  }

  /// A host that is a day ahead does not stop its windows for a day.
  @Test func theFirstHearingMayLeadBack() {
    let clock = clock(at: 86_400_000)
    #expect(clock.now().unixMilliseconds == 86_400_000)
    #expect(hear(clock, ahead: 49_000, roundTrip: 2) == .moved(milliseconds: -86_350_000))
    #expect(clock.now().unixMilliseconds == 50_000)
    clocks.pass(100)
    #expect(clock.now().unixMilliseconds == 50_100)
  }

  @Test func onceTheStoreWasHeardItNeverRunsBackwards() {
    let clock = clock(at: 50_000)
    _ = hear(clock, ahead: 49_000, roundTrip: 2)
    #expect(clock.now().unixMilliseconds == 50_000)
    // The store lies 2 s behind: time stands still for so long.
    #expect(hear(clock, ahead: 47_000, roundTrip: 2) == .moved(milliseconds: -2_000))
    for _ in 0..<20 {
      clocks.pass(100)
      #expect(clock.now().unixMilliseconds == 50_000)
    }
    clocks.pass(100)
    #expect(clock.now().unixMilliseconds == 50_100)
  }

  @Test func whatTheWayMayExplainChangesNothing() {
    let clock = clock()
    _ = hear(clock, ahead: 49_000, roundTrip: 2)
    for wrong in [Int64(-11), 11] {
      #expect(hear(clock, ahead: 49_000 + wrong, roundTrip: 20) == .none)
    }
    #expect(clock.now().unixMilliseconds == clocks.boottime + 49_000)
  }

  /// A slow answer moves time to the edge of what it can mean; a quick one to its middle.
  @Test func quickAnswersCountForMore() {
    let clock = clock()
    _ = hear(clock, ahead: 49_000, roundTrip: 2)
    #expect(hear(clock, ahead: 49_150, roundTrip: 200) == .moved(milliseconds: 49))
    #expect(hear(clock, ahead: 49_060, roundTrip: 4) == .moved(milliseconds: 11))
    #expect(clock.now().unixMilliseconds == clocks.boottime + 49_060)
    // After many slow ones they are the best there is.
    for _ in 0..<200 { _ = hear(clock, ahead: 49_060, roundTrip: 200) }
    #expect(hear(clock, ahead: 49_300, roundTrip: 200) == .moved(milliseconds: 240))
  }

  @Test func aJumpIsToldAsOne() {
    let clock = clock()
    _ = hear(clock, ahead: 49_000, roundTrip: 2)
    #expect(hear(clock, ahead: 51_000, roundTrip: 2) == .moved(milliseconds: 2_000))
    #expect(hear(clock, ahead: 53_003, roundTrip: 2) == .jumped(milliseconds: 2_003))
    #expect(hear(clock, ahead: 40_000, roundTrip: 400) == .jumped(milliseconds: -13_003))
    // Back it went, and time waits.
    let before = clock.now()
    clocks.pass(1_000)
    #expect(clock.now() == before)
  }

  /// A store in the year 9999 for some seconds moves nothing, and neither does its coming back.
  @Test func aJumpThatIsNotBelievedMovesNothing() {
    let clocks = clocks
    let wall = Locked(Timestamp(unixMilliseconds: 50_000))
    let clock = FleetClock(
      startingAt: Timestamp(unixMilliseconds: 50_000), boottime: { clocks.boottime },
      wallClock: { wall.withLock { $0 } })
    _ = hear(clock, ahead: 49_000, roundTrip: 2)
    let far: Int64 = 253_000_000_000_000
    for ahead in [far, -far / 2_000] {
      for _ in 0..<3 {
        clocks.pass(1_000)
        guard case .doubted(let doubt) = hear(clock, ahead: ahead, roundTrip: 2) else {
          Issue.record("\(ahead) is believed")
          return
        }
        #expect(doubt.expected.unixMilliseconds == clocks.boottime + 49_000)
        #expect(doubt.store.unixMilliseconds == clocks.boottime + ahead - 1)
        #expect(clock.now().unixMilliseconds == clocks.boottime + 49_000)
      }
    }
    #expect(hear(clock, ahead: 49_000, roundTrip: 2) == .none)
    // The wall clock agrees: followed at once.
    let day: Int64 = 86_400_000
    wall.withLock { $0 = Timestamp(unixMilliseconds: clocks.boottime + day) }
    #expect(
      hear(clock, ahead: 49_000 + day, roundTrip: 2) == .jumped(milliseconds: day))
    #expect(clock.now().unixMilliseconds == clocks.boottime + 49_000 + day)
  }

  @Test func driftIsFollowed() {
    let clock = clock()
    for second in 0..<1_000 {
      clocks.pass(1_000)
      // 50 ppm: a millisecond in 20 s.
      _ = hear(clock, ahead: 49_000 + Int64(second) / 20, roundTrip: 2)
    }
    let behind = clocks.boottime + 49_049 - clock.now().unixMilliseconds
    #expect((0...2).contains(behind))
  }

  @Test func readersNeverSeeItGoBack() async {
    let clock = clock()
    await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<4 {
        group.addTask {
          var last = clock.now()
          var isMonotonic = true
          for _ in 0..<20_000 {
            let now = clock.now()
            if now < last { isMonotonic = false }
            last = now
          }
          return isMonotonic
        }
      }
      group.addTask { [clocks] in
        for round in 0..<2_000 {
          clocks.pass(1)
          _ = clock.heard(
            clocks.store(ahead: 49_000 + (round % 2 == 0 ? 500 : -500), roundTrip: 2),
            roundTrip: .milliseconds(2))
        }
        return true
      }
      for await isMonotonic in group { #expect(isMonotonic) }
    }
  }
}
