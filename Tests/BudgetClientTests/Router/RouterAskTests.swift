import BudgetWire
import Sockets
import Testing

@testable import BudgetClient

/// Questions: whom they go to, how long they wait, and what they end with.
@Suite struct RouterAskTests {
  @Test func aSingleAddressIsAskedTwice() {
    var driver = RouterDriver()
    driver.ask(1)
    driver.connect()
    #expect(driver.last().map(\.number) == [1] && driver.last().map(\.milliseconds) == [100])
    driver.sent()
    driver.wait(.milliseconds(99))
    #expect(driver.batches[0]?.count == 1)
    driver.wait(.milliseconds(1))
    #expect(driver.last().map(\.number) == [2])
    driver.sent()
    driver.wait(.milliseconds(100))
    #expect(driver.reason(1) == "no answer from a within 100 ms")
    #expect(driver.batches[0]?.count == 2)
  }

  @Test func eachOfSeveralIsAskedOnceAndTheOneThatAnsweredIsFirstThen() {
    var driver = RouterDriver(["a", "b", "c"])
    driver.ask(1)
    driver.refuse(0)
    driver.connect(1)
    driver.answer(1, 1, RPCStatus(.unavailable, "disk"))
    driver.connect(2)
    driver.answer(2, 1)
    #expect(driver.answerer(1) == 2)
    driver.ask(2)
    driver.answer(2, 2, RPCStatus(.deadlineExceeded, "late"))
    #expect(driver.end(2) == nil)
    // The first rests, since it could not be connected to.
    driver.answer(1, 2, RPCStatus(.unavailable))
    #expect(driver.reason(2) == "b answered UNAVAILABLE")
    #expect(driver.connects.map(\.place) == [0, 1, 2])
  }

  @Test func anotherStatusIsAnAnswer() {
    var driver = RouterDriver()
    driver.ask(1)
    driver.connect()
    driver.answer(0, 1, RPCStatus(.unknown, "fsync"))
    #expect(driver.answerer(1) == 0)
  }

  @Test func aQuestionForOneAddressGoesToNoOther() {
    var driver = RouterDriver(["a", "b"])
    driver.ask(1, only: 1)
    driver.connect(1)
    driver.sent(1)
    driver.lose(1)
    driver.refuse(1, "no connection to b: refused")
    #expect(driver.reason(1) == "the connection to b was lost before the answer came")
    #expect(driver.connects.map(\.place) == [1, 1])
    // Asking it alone says nothing about where others are best asked.
    driver.ask(2)
    #expect(driver.connects.map(\.place) == [1, 1, 0])
  }

  @Test func timeCountsFromTheWrite() {
    var driver = RouterDriver()
    driver.ask(1)
    driver.wait(.milliseconds(900))
    driver.connect()
    driver.sent()
    driver.wait(.milliseconds(99))
    driver.answer(0, 1)
    #expect(driver.answerer(1) == 0)
  }

  @Test func onASocketThatIsFullItCountsFromTheBegin() {
    var driver = RouterDriver()
    driver.ask(1, timeout: .seconds(10))
    driver.connect()
    // The first batch is still being given to the socket.
    driver.ask(2)
    driver.wait(.milliseconds(60))
    driver.sent(0, .takenLater)
    #expect(driver.last().map(\.number) == [2])
    driver.wait(.milliseconds(40))
    #expect(driver.core.links[0].calls[2] == nil)
    // One that waits for a write that never ends was not sent.
    #expect(driver.core.links[0].calls.values.filter { $0.place == .queued }.count == 1)
    driver.wait(.milliseconds(100))
    #expect(driver.reason(2) == "no answer from a within 100 ms")
    #expect(driver.end(1) == nil)
  }

  @Test func aSocketThatWasOnlyBusyTakesNobodysTime() {
    var driver = RouterDriver()
    driver.ask(1, timeout: .seconds(10))
    driver.connect()
    driver.ask(2)
    driver.wait(.milliseconds(60))
    driver.sent()
    driver.wait(.milliseconds(60))
    #expect(driver.core.links[0].calls[2] != nil)
    driver.wait(.milliseconds(40))
    #expect(driver.core.links[0].calls[2] == nil)
  }

  @Test func anAddressThatCannotBeReachedIsLeftAlone() {
    var driver = RouterDriver()
    driver.ask(1)
    driver.refuse()
    #expect(driver.reason(1) == "no connection to a: refused")
    driver.ask(2)
    #expect(
      driver.reason(2) == "a is left alone for 50 ms after: no connection to a: refused")
    #expect(driver.connects.count == 1)
    driver.wait(.milliseconds(50))
    driver.ask(3)
    #expect(driver.connects.count == 2)
  }

  @Test func pausesDoubleUpToTheLongestAndAreAHalfToTheWholeOfThat() {
    for (chance, part) in [(UInt64.max, 1.0), (0, 0.5)] {
      var pause = Pause(shortest: .milliseconds(50), longest: .milliseconds(300))
      let now = MonotonicInstant(nanoseconds: 7)
      for milliseconds in [50, 100, 200, 300, 300] {
        pause.failed(now: now, chance: chance == 0 ? 0 : 1)
        #expect(pause.left(now: now) == .milliseconds(milliseconds) * part)
      }
      pause.end()
      #expect(pause.left(now: now) == .zero)
    }
  }

  @Test func makingAConnectionHasABoundOfItsOwn() {
    var driver = RouterDriver { $0.connectTimeout = .milliseconds(300) }
    driver.ask(1)
    driver.wait(.milliseconds(299))
    #expect(driver.end(1) == nil)
    driver.wait(.milliseconds(1))
    #expect(driver.reason(1) == "no connection to a: not within 300 ms")
    // Made too late, it is closed again.
    driver.connect()
    #expect(driver.disconnects.map(\.generation) == [1, 1])
    #expect(!driver.core.links[0].isOpen)
  }

  @Test func whoTheClientIsIsSaidFirst() {
    var driver = RouterDriver()
    driver.ask(1)
    driver.connect(introduction: [99])
    #expect(
      driver.last() == [RouterDriver.Sent(number: 1, milliseconds: 1_000, body: [99])])
    driver.sent()
    driver.answer(0, 1, RPCStatus(.unimplemented, "older"))
    #expect(driver.last().map(\.number) == [2])
    driver.answer(0, 2)
    #expect(driver.answerer(1) == 0)
  }

  @Test func whoIsNotWelcomeAsksNothing() {
    var driver = RouterDriver()
    driver.ask(1)
    driver.connect(introduction: [99])
    driver.sent()
    driver.answer(0, 1, RPCStatus(.unauthenticated, "nobody has this token"))
    #expect(driver.reason(1) == "a answered UNAUTHENTICATED: nobody has this token")
    #expect(driver.disconnects.count == 1 && driver.batches[0]?.count == 1)
    driver.ask(2)
    #expect(driver.reason(2)?.hasPrefix("a is left alone for 50 ms") == true)
  }

  @Test func anIntroductionThatIsNotAnsweredOrLostFails() {
    var silent = RouterDriver()
    silent.ask(1)
    silent.connect(introduction: [99])
    silent.sent()
    silent.wait(.seconds(1))
    #expect(silent.reason(1) == "no answer from a within 1000 ms")
    #expect(silent.disconnects.count == 1)
    var lost = RouterDriver()
    lost.ask(1)
    lost.connect(introduction: [99])
    lost.lose()
    #expect(lost.reason(1) == "the connection to a was lost before the answer came")
    // The socket's word about it comes late.
    lost.sent(0, .refused)
    #expect(lost.end(1) != nil)
  }

  @Test func theServersLastWordsAreTold() {
    var driver = RouterDriver()
    for _ in 0..<2 {
      if driver.end(1) == nil, driver.connects.isEmpty { driver.ask(1) }
      driver.connect()
      driver.sent()
      driver.answer(0, 0, RPCStatus(.unavailable, "too many connections"))
      driver.lose()
    }
    #expect(
      driver.reason(1)
        == "the connection to a was lost before the answer came: UNAVAILABLE: too many connections")
  }

  @Test func bytesThatAreNoAnswerEndTheConnection() {
    var driver = RouterDriver()
    driver.ask(1)
    driver.connect()
    driver.sent()
    let generation = driver.core.links[0].generation
    driver.turn { $0.malformed(0, generation, "no message") }
    #expect(driver.disconnects.map(\.generation) == [generation])
    driver.connect()
    driver.answer(0, 1)
    #expect(driver.answerer(1) == 0)
    // Of the connection before.
    driver.turn { $0.malformed(0, generation, "no message") }
    driver.ask(2)
    let late = TrackerDriver.response(2)
    driver.turn { $0.received(0, generation, late) }
    driver.turn { $0.lost(0, generation) }
    #expect(driver.core.links[0].isOpen && driver.end(2) == nil)
  }

  @Test func aLateAnswerAndThatOfACancelledCallBelongToNobody() {
    var driver = RouterDriver()
    driver.ask(1)
    driver.connect()
    driver.sent()
    driver.turn { $0.cancel(1) }
    driver.answer(0, 1)
    #expect(driver.end(1) == nil)
    driver.ask(2)
    driver.sent()
    driver.wait(.milliseconds(100))
    driver.answer(0, 2)
    driver.answer(0, 77)
    #expect(driver.end(2) == nil)
    driver.answer(0, 3)
    #expect(driver.answerer(2) == 0)
  }

  @Test func aServerThatDoesNotReadIsGivenSoManyCallsAndNoMore() {
    var driver = RouterDriver(["a", "b"]) { $0.mostUnwritten = 100 }
    driver.ask(1)
    driver.connect()
    for id in 2...102 { driver.ask(UInt64(id), timeout: .seconds(9)) }
    // The last one is put to the other address.
    #expect(driver.connects.map(\.place) == [0, 1])
    driver.refuse(1, "no connection to b: refused")
    #expect(driver.reason(102) == "a takes nothing more: as many calls wait as may")
    #expect(driver.end(101) == nil)
  }

  @Test func aBatchHasABound() {
    var driver = RouterDriver()
    driver.ask(1)
    let body = [UInt8](repeating: 7, count: Link.batchBytes / 2)
    driver.turn { core in
      for id in 2...5 { core.ask(UInt64(id), RouterCore.Ask(body, timeout: .seconds(9))) }
    }
    driver.connect()
    #expect(driver.last().map(\.number) == [1, 2, 3])
    driver.sent()
    #expect(driver.last().map(\.number) == [4, 5])
  }

  @Test func closingEndsEveryQuestionAndConnection() {
    var driver = RouterDriver(["a", "b"])
    driver.ask(1)
    driver.connect()
    driver.sent()
    driver.ask(2, only: 1)
    driver.turn { $0.close() }
    #expect(driver.end(1) == .closed && driver.end(2) == .closed)
    #expect(driver.disconnects.map(\.place) == [0, 1])
    driver.ask(3)
    driver.owe("k")
    #expect(driver.end(3) == .closed && driver.batches[0]?.count == 1)
    #expect(driver.core.nextTime() == .never)
  }
}
