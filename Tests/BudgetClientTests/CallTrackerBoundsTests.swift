import BudgetWire
import Sockets
import TCPTransport
import Testing

@testable import BudgetClient

@Suite struct CallTrackerBoundsTests {
  @Test func furtherCallsWaitForTheirTurn() {
    var driver = TrackerDriver { $0.callsUnderWay = 2 }
    for ticket in 1...4 { driver.begin(UInt64(ticket)) }
    driver.connect()
    #expect(driver.send() == [1: 1, 2: 2])
    driver.answer(2)
    #expect(driver.send() == [3: 3])
    driver.answer(1)
    driver.answer(3)
    #expect(driver.send() == [4: 4])
  }

  @Test func tooManyWaitingCallsEndAtOnce() {
    var driver = TrackerDriver { $0.callsWaiting = 2 }
    for ticket in 1...3 { driver.begin(UInt64(ticket)) }
    #expect(driver.end(1) == nil)
    #expect(driver.error(3) == .notApplied(.tooManyCalls(bound: 2)))
  }

  @Test func callsGivenUpKeepTheirPlaceUntilTheyAreAnswered() {
    var driver = TrackerDriver { $0.callsUnderWay = 1 }
    driver.begin(1, timeout: .seconds(1))
    driver.begin(2, timeout: .seconds(60))
    driver.connect()
    driver.send()
    driver.wait(.seconds(1))
    #expect(driver.error(1) == .unknown(.timedOut(after: .seconds(1))))
    // The one place is taken by a call that nobody waits for: the connection is worth nothing.
    #expect(driver.disconnects == [1])
    driver.connect()
    #expect(driver.send() == [2: 1])
  }

  @Test func aLateAnswerIsPassedOver() {
    var driver = TrackerDriver()
    driver.begin(1, timeout: .seconds(1))
    driver.connect()
    driver.send()
    driver.take(driver.tracker.cancel(1, at: driver.now))
    #expect(driver.error(1) == .unknown(.cancelled))
    #expect(driver.tracker.underWay == 1)
    driver.answer(1)
    #expect(driver.tracker.underWay == 0)
    driver.answer(1)
    #expect(driver.disconnects.isEmpty)
  }

  @Test func anAnswerToNoCallEndsTheConnection() {
    var driver = TrackerDriver()
    driver.begin(1)
    driver.connect()
    driver.send()
    driver.answer(7)
    #expect(driver.disconnects == [1])
    #expect(driver.error(1)?.outcome == .unknown)
    guard case .unreadableAnswer? = driver.error(1)?.reason else {
      Issue.record("\(String(describing: driver.error(1)))")
      return
    }
  }

  @Test func anAnswerBeforeTheQuestionEndsTheConnection() {
    var driver = TrackerDriver()
    driver.begin(1)
    driver.connect()
    driver.answer(1)
    #expect(driver.disconnects == [1])
    // It was never sent: the next connection has it.
    #expect(driver.end(1) == nil)
  }

  @Test func oneTimerServesAllDeadlines() {
    var driver = TrackerDriver()
    let start = driver.now
    driver.begin(1, timeout: .seconds(3))
    driver.begin(2, timeout: .seconds(9))
    driver.begin(3, timeout: .seconds(1))
    #expect(driver.wakes == [3, 1].map { start.advanced(by: .seconds($0)) })
    driver.wait(.seconds(1))
    #expect(driver.error(3) == .notApplied(.timedOut(after: .seconds(1))))
    #expect(driver.wakes.last == start.advanced(by: .seconds(3)))
    driver.wait(.seconds(2))
    #expect(driver.error(1) != nil)
    #expect(driver.wakes.last == start.advanced(by: .seconds(9)))
    driver.wait(.seconds(6))
    #expect(driver.error(2) != nil)
    #expect(driver.wakes.count == 4)
  }

  @Test func aCallWithoutTimeIsNotBegun() {
    var driver = TrackerDriver()
    driver.begin(1, timeout: .zero)
    #expect(driver.error(1) == .notApplied(.timedOut(after: .zero)))
    #expect(driver.connects.isEmpty)
  }

  @Test func aSilentConnectionIsReplaced() {
    var driver = TrackerDriver()
    driver.begin(1, timeout: .seconds(4))
    driver.connect()
    driver.send()
    driver.wait(.seconds(4))
    #expect(driver.disconnects.isEmpty)
    driver.begin(2, timeout: .seconds(8))
    driver.send()
    driver.wait(.seconds(8))
    #expect(driver.disconnects == [1])
    driver.begin(3)
    #expect(driver.connects.map(\.generation) == [1, 2])
  }

  @Test func aConnectionThatRestedLongIsNotUsedAgain() {
    var driver = TrackerDriver()
    driver.begin(1)
    driver.connect()
    driver.send()
    driver.answer(1)
    driver.wait(.seconds(239))
    driver.begin(2)
    #expect(driver.disconnects.isEmpty)
    driver.send()
    driver.answer(2)
    driver.wait(.seconds(240))
    driver.begin(3)
    #expect(driver.disconnects == [1])
    #expect(driver.connects.map(\.generation) == [1, 2])
    #expect(driver.connects.last?.after == .zero)
  }

  @Test func eventsOfAnEarlierConnectionChangeNothing() {
    var driver = TrackerDriver()
    driver.begin(1)
    driver.connect()
    driver.send()
    driver.lose()
    driver.begin(2)
    driver.connect()
    driver.send()
    driver.lose(1)
    driver.take(
      driver.tracker.received(TrackerDriver.response(1), on: 1, at: driver.now, fraction: 0))
    #expect(driver.end(2) == nil)
    driver.answer(1)
    #expect(driver.isAnswered(2))
    // A connection that comes too late is closed.
    driver.take(driver.tracker.connected(1, at: driver.now))
    #expect(driver.disconnects == [1])
  }

  @Test func closingEndsEverything() {
    var driver = TrackerDriver { $0.callsUnderWay = 1 }
    driver.begin(1)
    driver.begin(2)
    driver.connect()
    driver.send()
    driver.take(driver.tracker.close())
    #expect(driver.error(1) == .unknown(.clientClosed))
    #expect(driver.error(2) == .notApplied(.clientClosed))
    #expect(driver.disconnects == [1])
    driver.begin(3)
    #expect(driver.error(3) == .notApplied(.clientClosed))
    #expect(driver.tracker.close().isEmpty)
  }

  @Test func ticketsThatAreOverDoNotPileUp() {
    var driver = TrackerDriver()
    for ticket in 1...10_000 {
      driver.begin(UInt64(ticket))
      driver.take(driver.tracker.cancel(UInt64(ticket), at: driver.now))
    }
    #expect(driver.tracker.waiting.count <= 65)
    #expect(driver.tracker.calls.isEmpty)
  }
}
