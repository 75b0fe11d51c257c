import BudgetWire
import Sockets
import TCPTransport
import Testing

@testable import BudgetClient

@Suite struct CallTrackerTests {
  @Test func theFirstCallConnectsAndIsSentWithItsTimeout() throws {
    var driver = TrackerDriver()
    driver.begin(1, timeout: .milliseconds(700))
    #expect(driver.connects.map(\.generation) == [1])
    #expect(driver.connects.first?.after == .zero)
    driver.now = driver.now.advanced(by: .milliseconds(200))
    driver.connect()
    #expect(driver.isSendWanted)
    let next = driver.tracker.nextBatch(1, at: driver.now)
    let batch = try #require(next)
    #expect(batch.map(\.request.callID) == [1])
    #expect(batch.map(\.request.timeoutMilliseconds) == [500])
  }

  /// Every order in which four calls may be answered.
  @Test func answersMayComeInAnyOrder() {
    for order in permutations([1, 2, 3, 4]) {
      var driver = TrackerDriver()
      for ticket in 1...4 { driver.begin(UInt64(ticket)) }
      driver.connect()
      #expect(driver.send() == [1: 1, 2: 2, 3: 3, 4: 4])
      for callID in order { driver.answer(UInt64(callID)) }
      for ticket in 1...4 {
        guard case .success(let response)? = driver.end(UInt64(ticket)) else {
          Issue.record("call \(ticket) has no answer in order \(order)")
          continue
        }
        #expect(response.callID == UInt64(ticket))
      }
      #expect(driver.tracker.underWay == 0)
    }
  }

  enum Step: CaseIterable { case send, answer, lose, cancel, expire, close }

  /// Every sequence of four things that can happen to a record: it ends exactly once, and
  /// `notApplied` only where the socket never had it or the server said so.
  @Test func aRecordEndsOnceAndNeverLies() {
    for first in Step.allCases {
      for second in Step.allCases {
        for third in Step.allCases {
          for fourth in Step.allCases { play([first, second, third, fourth]) }
        }
      }
    }
  }

  private func play(_ steps: [Step]) {
    var driver = TrackerDriver()
    driver.begin(1)
    driver.connect()
    var wasSent = false
    for step in steps {
      switch step {
      case .send: wasSent = driver.send()[1] != nil || wasSent
      case .answer where wasSent && driver.tracker.generation == 1: driver.answer(1)
      case .answer: break
      case .lose:
        driver.lose()
        driver.connect()
      case .cancel: driver.take(driver.tracker.cancel(1, at: driver.now))
      case .expire: driver.wait(.seconds(6))
      case .close: driver.take(driver.tracker.close())
      }
      if let error = driver.error(1) {
        #expect((error.outcome == .unknown) == wasSent, "\(steps): \(error)")
        break
      }
      if driver.isAnswered(1) { break }
    }
    driver.take(driver.tracker.close())
    #expect(driver.end(1) != nil, "\(steps)")
    #expect(driver.tracker.calls.isEmpty)
  }

  @Test func onlyUnknownAndInternalLeaveARecordOpen() {
    for code in StatusCode.allCases where code != .ok {
      var driver = TrackerDriver()
      driver.begin(1)
      driver.begin(2, reads: true)
      driver.connect()
      driver.send()
      let status = RPCStatus(code, "why")
      driver.answer(1, status)
      driver.answer(2, status)
      let isOpen = code == .unknown || code == .internal
      #expect(
        driver.error(1) == (isOpen ? .unknown(.refused(status)) : .notApplied(.refused(status))))
      #expect(driver.error(1)?.status == status)
      #expect(driver.error(2) == .notApplied(.refused(status)))
    }
  }

  @Test func exhaustedCandidatesAreAnAnswer() {
    var driver = TrackerDriver()
    driver.begin(1, reads: true)
    driver.connect()
    driver.send()
    driver.take(
      driver.tracker.received(TrackerDriver.exhausted(1), on: 1, at: driver.now, fraction: 0))
    #expect(driver.isAnswered(1))
  }

  @Test func aLostConnectionTellsWhatTheSocketHadFromWhatItHadNot() {
    var driver = TrackerDriver { $0.callsPerBatch = 1 }
    for ticket in 1...3 { driver.begin(UInt64(ticket)) }
    driver.connect()
    // Call 1 is with the server, 2 is being given to the socket, 3 has its turn to come.
    _ = driver.tracker.nextBatch(1, at: driver.now)
    driver.take(driver.tracker.batchEnded(1, isTaken: true, at: driver.now, fraction: 0))
    _ = driver.tracker.nextBatch(1, at: driver.now)
    driver.lose()
    #expect(driver.error(1)?.outcome == .unknown)
    #expect(driver.end(2) == nil)
    #expect(driver.end(3) == nil)
    driver.take(driver.tracker.batchEnded(1, isTaken: false, at: driver.now, fraction: 0))
    #expect(driver.end(2) == nil)
    driver.connect()
    let sent = driver.send()
    #expect(Set(sent.keys) == [2, 3])
  }

  @Test func aBatchTakenBeforeTheEndIsUnknown() {
    var driver = TrackerDriver()
    driver.begin(1)
    driver.connect()
    _ = driver.tracker.nextBatch(1, at: driver.now)
    driver.lose()
    #expect(driver.end(1) == nil)
    driver.take(driver.tracker.batchEnded(1, isTaken: true, at: driver.now, fraction: 0))
    #expect(driver.error(1)?.outcome == .unknown)
  }

  @Test func readsAreSentAgainOnce() {
    var driver = TrackerDriver()
    driver.begin(1, reads: true)
    driver.connect()
    driver.send()
    driver.lose()
    #expect(driver.end(1) == nil)
    #expect(driver.connects.count == 2)
    driver.connect()
    #expect(driver.send() == [1: 1])
    driver.lose()
    #expect(driver.error(1) == .notApplied(.connectionLost(why: "test", nil)))
  }

  @Test func whatTheServerSaysInPartingIsTheReason() {
    var driver = TrackerDriver()
    driver.begin(1)
    driver.connect()
    driver.send()
    let status = RPCStatus(.unavailable, "shutting down")
    driver.answer(0, status)
    driver.lose()
    #expect(driver.error(1) == .unknown(.connectionLost(why: "test", status)))
  }

  @Test func aFailedAttemptEndsThoseWhoWaitedForIt() {
    var driver = TrackerDriver()
    driver.begin(1)
    driver.begin(2, reads: true)
    let reason = BudgetClientError.Reason.unreachable(server: "x", why: "y")
    driver.take(driver.tracker.connectFailed(1, reason, at: driver.now, fraction: 0.5))
    #expect(driver.error(1) == .notApplied(reason))
    #expect(driver.error(2) == .notApplied(reason))
    driver.begin(3)
    #expect(driver.connects.last?.generation == 2)
    #expect(driver.connects.last?.after == .milliseconds(25))
  }

  @Test func waitsDoubleUpToTheirBoundAndAnAnswerEndsThem() {
    var driver = TrackerDriver()
    let reason = BudgetClientError.Reason.unreachable(server: "x", why: "y")
    var waits: [Duration] = []
    for ticket in 1...10 {
      driver.begin(UInt64(ticket))
      waits.append(driver.connects.last?.after ?? .zero)
      driver.take(
        driver.tracker.connectFailed(
          driver.tracker.generation, reason, at: driver.now, fraction: 1))
    }
    #expect(
      waits
        == [0, 50, 100, 200, 400, 800, 1_600, 3_200, 5_000, 5_000].map { .milliseconds($0) })
    driver.begin(11)
    driver.connect()
    driver.send()
    driver.answer(1)
    driver.lose()
    driver.begin(12)
    #expect(driver.connects.last.map { $0.after <= .seconds(5) } == true)
    driver.take(
      driver.tracker.connectFailed(driver.tracker.generation, reason, at: driver.now, fraction: 1))
    driver.begin(13)
    #expect(driver.connects.last?.after == .milliseconds(50))
  }

  private func permutations(_ values: [Int]) -> [[Int]] {
    guard values.count > 1 else { return [values] }
    return values.flatMap { value in
      permutations(values.filter { $0 != value }).map { [value] + $0 }
    }
  }
}
