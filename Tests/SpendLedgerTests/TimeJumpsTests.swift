import BudgetModel
import Testing

@testable import SpendLedger

@Suite struct TimeJumpsTests {
  private var jumps = TimeJumps(retention: 1_000_000)

  @Test func timeThatPassesIsNoJump() {
    var jumps = jumps
    for second in 0..<5_000 as Range<Int64> {
      jumps.note(
        fleetMilliseconds: 7_000_000 + second * 1_003, passedMilliseconds: second * 1_000)
    }
    #expect(jumps.milliseconds == 0)
  }

  @Test func theBound() {
    var jumps = jumps
    jumps.note(fleetMilliseconds: 0, passedMilliseconds: 0)
    jumps.note(fleetMilliseconds: 60_999, passedMilliseconds: 1_000)
    #expect(jumps.milliseconds == 0)
    jumps.note(fleetMilliseconds: 121_999, passedMilliseconds: 2_000)
    #expect(jumps.milliseconds == 60_000)
  }

  @Test func jumpsAddUpAndEndAfterTheRetention() {
    var jumps = jumps
    jumps.note(fleetMilliseconds: 0, passedMilliseconds: 0)
    jumps.note(fleetMilliseconds: 3_600_000, passedMilliseconds: 0)
    jumps.note(fleetMilliseconds: 10_900_000, passedMilliseconds: 100_000)
    #expect(jumps.milliseconds == 10_800_000)
    // Back is no jump ahead, and takes nothing off.
    jumps.note(fleetMilliseconds: 100_000, passedMilliseconds: 100_000)
    #expect(jumps.milliseconds == 10_800_000)
    jumps.note(fleetMilliseconds: 1_100_000, passedMilliseconds: 1_100_000)
    #expect(jumps.milliseconds == 10_800_000)
    jumps.note(fleetMilliseconds: 1_100_001, passedMilliseconds: 1_100_001)
    #expect(jumps.milliseconds == 0)
  }

  @Test func theHorizonIsLaterByTheJump() {
    var horizon = KeyHorizon(retention: 86_400_000)
    let now = Timestamp(unixMilliseconds: 1_000_000_000)
    horizon.forgottenThrough = Timestamp(unixMilliseconds: 990_000_000)
    #expect(horizon.horizon(at: now).unixMilliseconds == 990_300_000)
    horizon.jumped = 4_000_000
    #expect(horizon.horizon(at: now).unixMilliseconds == 994_300_000)
    horizon.jumped = .max
    #expect(horizon.horizon(at: now) == now)
  }
}
