import BudgetModel
import Locks
import Reconciliation
import Testing

@testable import BudgetFleet

/// Requests that wait for the fleet's word: served again in order, each answered once.
@Suite struct FleetWaitingTests {
  /// Answers as it is told, and notes what it was asked.
  private final class Desk: WaitingDesk {
    struct State {
      var outcomes: [UInt64: [WaitingRoom.Outcome]] = [:]
      var tried: [UInt64] = []
      var givenUp: [UInt64: WaitingEnd] = [:]
    }
    let state = Locked(State())
    /// Called while one is served again.
    let meanwhile = Locked<(@Sendable () -> Void)?>(nil)

    func tryAgain(_ call: WaitingCall) -> WaitingRoom.Outcome {
      meanwhile.withLock { $0 }?()
      return state.withLock { state in
        state.tried.append(call.id)
        let next = state.outcomes[call.id]?.isEmpty == false
        return next ? state.outcomes[call.id]?.removeFirst() ?? .decided : .decided
      }
    }

    func giveUp(_ call: WaitingCall, _ reason: WaitingEnd) {
      state.withLock { $0.givenUp[call.id] = reason }
    }
  }

  private let clock: Clock
  private let desk = Desk()
  private let waiting: FleetWaiting
  private let key = BudgetKey(scope: .tag, name: "a", windowText: "1d")
  private let other = BudgetKey(scope: .tag, name: "b", windowText: "1d")

  init() {
    let clock = Clock()
    self.clock = clock
    waiting = FleetWaiting(uptime: { clock.now })
    waiting.answer(at: desk)
  }

  private final class Clock: Sendable {
    private let time = Locked(Duration.zero)
    var now: Duration { time.withLock { $0 } }
    func advance(_ duration: Duration) { time.withLock { $0 += duration } }
  }

  private func lack(_ key: BudgetKey, _ dollars: Int64) -> WaitingRoom.Lack {
    WaitingRoom.Lack(key, PicoUSD(dollars: dollars))
  }

  private func enter(
    _ id: UInt64, _ lack: WaitingRoom.Lack, connection: UInt64 = 1, for time: Duration = .seconds(1)
  ) -> Bool {
    waiting.enter(
      WaitingCall(connection: connection, id: id, frame: [1]), lacking: [lack], within: time)
  }

  private func answers(_ id: UInt64, _ outcomes: WaitingRoom.Outcome...) {
    desk.state.withLock { $0.outcomes[id] = outcomes }
  }

  private var tried: [UInt64] { desk.state.withLock { $0.tried } }
  private var givenUp: [UInt64: WaitingEnd] { desk.state.withLock { $0.givenUp } }

  @Test func thoseThatWaitAreServedAgainInOrder() {
    let bell = Locked(0)
    waiting.whenEntered { bell.withLock { $0 += 1 } }
    #expect(enter(1, lack(key, 3)) && enter(2, lack(key, 1)) && enter(3, lack(other, 1)))
    #expect(bell.withLock { $0 } == 3 && waiting.takeBell() && !waiting.takeBell())
    #expect(waiting.count == 3 && Set(waiting.budgets) == [key, other])
    #expect(waiting.takeWaiting(for: key).map(\.dollars) == [3, 1])
    clock.advance(.milliseconds(4))
    waiting.answered(key, free: .zero)
    #expect(tried == [1, 2] && waiting.count == 1 && givenUp.isEmpty)
    #expect(waiting.counts.answered == 2 && waiting.counts.waits.sum == 8_000_000)
  }

  @Test func whoeverIsRefusedIsServedOnceMoreAndKnowsIt() {
    #expect(enter(1, lack(key, 3)))
    _ = waiting.takeWaiting(for: key)
    answers(1, .lacking([lack(key, 3)]))
    waiting.answered(key, free: .zero)
    // Its second try found the refusal, and denied.
    #expect(tried == [1, 1] && waiting.count == 0)
    #expect(waiting.isRefused(lack(key, 3)) && waiting.isRefused(lack(key, 4)))
    #expect(!waiting.isRefused(lack(key, 2)) && !waiting.isRefused(lack(other, 3)))
    clock.advance(.milliseconds(101))
    #expect(!waiting.isRefused(lack(key, 3)))
  }

  @Test func aRefusedChoiceGoesOnToWaitForTheNext() {
    #expect(enter(1, lack(key, 3)))
    _ = waiting.takeWaiting(for: key)
    answers(1, .lacking([lack(key, 3)]), .lacking([lack(other, 3)]))
    waiting.answered(key, free: .zero)
    #expect(waiting.count == 1 && waiting.budgets == [other])
    waiting.answered(other, free: nil)
    #expect(tried == [1, 1, 1] && waiting.count == 0)
  }

  @Test func whoeverWasNotListedIsNotRefused() {
    #expect(enter(1, lack(key, 3)))
    answers(1, .lacking([lack(key, 3)]))
    waiting.answered(key, free: .zero)
    #expect(tried == [1] && waiting.count == 1 && !waiting.isRefused(lack(key, 3)))
  }

  @Test func timeIsOverForEachByItself() {
    #expect(enter(1, lack(key, 3)) && enter(2, lack(key, 3), for: .milliseconds(50)))
    clock.advance(.milliseconds(50))
    waiting.dropOverdue()
    #expect(givenUp == [2: .overdue] && waiting.count == 1)
    clock.advance(.seconds(1))
    waiting.dropOverdue()
    #expect(givenUp == [1: .overdue, 2: .overdue] && waiting.counts.overdue == 2)
  }

  /// It is answered once, by whoever serves it.
  @Test func oneThatIsBeingServedIsNotOverdue() {
    #expect(enter(1, lack(key, 3)))
    desk.meanwhile.withLock { meanwhile in
      meanwhile = { [waiting, clock] in
        clock.advance(.seconds(2))
        waiting.dropOverdue()
      }
    }
    waiting.answered(key, free: nil)
    #expect(tried == [1] && givenUp.isEmpty && waiting.count == 0)
  }

  @Test func whileTheStoreIsAwayNobodyWaits() {
    #expect(enter(1, lack(key, 3)))
    waiting.setAway(true)
    #expect(givenUp == [1: .away] && waiting.count == 0 && !enter(2, lack(key, 3)))
    waiting.setAway(false)
    #expect(enter(3, lack(key, 3)) && waiting.counts.away == 2 && waiting.counts.entered == 2)
  }

  @Test func aConnectionThatGoesTakesItsRequestsAlong() {
    #expect(enter(1, lack(key, 3)) && enter(2, lack(key, 3), connection: 2))
    waiting.leave(1)
    waiting.answered(key, free: .zero)
    #expect(tried == [2] && givenUp.isEmpty && waiting.counts.gone == 1)
  }
}
