import BudgetWire
import Sockets
import Testing

@testable import BudgetClient

/// Records and releases: where they go, when again, and when they are over.
@Suite struct RouterOutboxTests {
  private static let again = Duration.milliseconds(50)

  @Test func recordsLeaveInTheirOrderInOneWrite() {
    var driver = RouterDriver()
    driver.turn { core in
      for key in ["1", "2", "3"] { core.owe(RouterDriver.record(key)) }
    }
    driver.connect()
    #expect(driver.last().map(\.number) == [1, 2, 3] && driver.keys() == ["1", "2", "3"])
    #expect(driver.last().map(\.milliseconds) == [5_000, 5_000, 5_000])
  }

  @Test func soManyAreUnderWayAndNoMore() {
    var driver = RouterDriver()
    driver.connect()
    driver.turn { core in
      for key in 0...RouterCore.mostUnderWay { core.owe(RouterDriver.record("\(key)")) }
    }
    driver.connect()
    driver.sent()
    #expect(driver.keys().count == RouterCore.mostUnderWay)
    driver.answer(0, 1)
    #expect(driver.keys().count == RouterCore.mostUnderWay + 1)
  }

  @Test func oneThatWasNeverSentMovesAndThatIsWrittenDownBefore() {
    var driver = RouterDriver(["a", "b"])
    driver.owe("k")
    driver.refuse()
    #expect(driver.story == ["owed to b"])
    driver.connect(1)
    #expect(driver.story == ["owed to b", "send 1 to b"] && driver.core.stats.retries == 0)
    driver.answer(1, 1)
    #expect(driver.story.last == "done" && driver.core.stats.recorded == 1)
    #expect(driver.core.endings == 1)
  }

  @Test func oneThatMayHaveArrivedStays() {
    var driver = RouterDriver(["a", "b"])
    driver.owe("k")
    driver.connect()
    driver.sent()
    driver.lose()
    #expect(driver.story == ["send 1 to a"])
    driver.wait(Self.again)
    driver.refuse()
    driver.wait(Self.again)
    #expect(driver.connects.map(\.place) == [0, 0, 0])
    driver.connect()
    driver.answerDuplicate(0, 1)
    #expect(driver.keys() == ["k", "k"] && driver.keys(1) == [])
    let stats = driver.core.stats
    #expect((stats.recorded, stats.duplicates, stats.retries) == (1, 1, 1))
  }

  @Test func aSocketThatRefusedItNeverHadIt() {
    for isTaken in [false, true] {
      var driver = RouterDriver(["a", "b"])
      driver.owe("k")
      driver.connect()
      // It ends while the batch is being given to it.
      driver.lose()
      #expect(driver.core.lanes[0].waiting.isEmpty)
      driver.sent(0, isTaken ? .taken : .refused)
      #expect(driver.core.lanes[0].waiting.first?.isBound != !isTaken || !isTaken)
      driver.refuse()
      #expect(driver.story.contains("owed to b") == !isTaken)
    }
  }

  @Test func aSocketThatEndedUnheardIsLeft() {
    var driver = RouterDriver()
    driver.owe("k")
    driver.connect()
    driver.sent(0, .refused)
    #expect(driver.connects.count == 2)
    driver.connect()
    driver.sent()
    driver.answer(0, 1)
    #expect(driver.core.stats.recorded == 1 && driver.core.stats.retries == 0)
  }

  @Test func oneThatIsRefusedForNowMovesUnlessAnEarlierTryMayBeApplied() {
    var driver = RouterDriver(["a", "b"])
    driver.owe("k")
    driver.connect()
    driver.answer(0, 1, RPCStatus(.unavailable, "disk full"))
    #expect(driver.story == ["send 1 to a", "owed to b"])
    #expect(driver.log == ["a answered a record with UNAVAILABLE: disk full; it is sent again"])
    driver.connect(1)
    driver.sent(1)
    driver.answer(1, 1, RPCStatus(.unknown, "fsync"))
    driver.wait(Self.again)
    driver.sent(1)
    driver.answer(1, 2, RPCStatus(.unavailable, "disk full"))
    driver.wait(.seconds(1))
    #expect(driver.keys(1) == ["k", "k", "k"] && driver.keys(0) == ["k"])
  }

  @Test func withoutAnAnswerInTimeItIsSentAgain() {
    var driver = RouterDriver(["a", "b"]) { $0.recordTimeout = .milliseconds(500) }
    driver.owe("k")
    driver.connect()
    driver.sent()
    driver.wait(.milliseconds(500))
    #expect(driver.keys() == ["k"] && driver.story == ["send 1 to a"])
    driver.wait(Self.again)
    #expect(driver.last().map(\.number) == [2])
    // That a later try was not sent says nothing about the first.
    driver.lose()
    driver.sent(0, .refused)
    driver.refuse()
    #expect(driver.story == ["send 1 to a", "send 1 to a"])
  }

  @Test func someStatusesAreFinal() {
    for code in StatusCode.allCases where code != .ok {
      var driver = RouterDriver()
      driver.owe("k")
      driver.connect()
      driver.answer(0, 1, RPCStatus(code, "x"))
      let isFinal = [.invalidArgument, .alreadyExists, .outOfRange].contains(code)
      #expect(driver.core.stats.dropped == (isFinal ? 1 : 0), "\(code)")
      #expect(driver.core.endings == (isFinal ? 1 : 0) && driver.core.stats.recorded == 0)
      #expect(driver.story.contains("done") == isFinal)
    }
  }

  @Test func aReleaseGoesToItsAddressAloneAndEndsWithItsHold() {
    var driver = RouterDriver(["a", "b"])
    var release = Owed(key: [], body: [1], place: 0)
    release.until = driver.core.now.advanced(by: .milliseconds(70))
    driver.turn { $0.owe(release) }
    driver.refuse()
    driver.wait(Self.again)
    #expect(driver.core.endings == 0 && driver.keys(1) == [])
    driver.wait(.milliseconds(30))
    driver.refuse()
    #expect(driver.core.endings == 1 && driver.core.lanes[0].waiting.isEmpty)
    #expect(driver.story == [])
  }

  @Test func aReleaseOfAHoldThatIsNotThereIsOver() {
    for (code, count) in [(StatusCode.notFound, 1), (.unavailable, 0)] {
      var driver = RouterDriver()
      driver.turn { $0.owe(Owed(key: [], body: [1], place: 0)) }
      driver.connect()
      driver.answer(0, 1, RPCStatus(code))
      #expect(driver.core.endings == count && driver.core.stats.dropped == 0)
    }
  }

  @Test func anAnswerEndsThePause() {
    var driver = RouterDriver()
    driver.owe("1")
    driver.connect()
    driver.sent()
    driver.answer(0, 1, RPCStatus(.unknown))
    driver.wait(Self.again)
    driver.sent()
    driver.answer(0, 2, RPCStatus(.unknown))
    driver.wait(Self.again * 2)
    driver.sent()
    driver.answer(0, 3)
    driver.owe("2")
    driver.sent()
    driver.answer(0, 4, RPCStatus(.unknown))
    // It begins at the shortest again.
    driver.wait(Self.again)
    #expect(driver.keys() == ["1", "1", "1", "2", "2"])
  }
}
