import BudgetModel
import BudgetWire
import Sockets
import TCPTransport
import Testing

@testable import BudgetServer

@Suite struct CountingTests {
  private func record(_ dollars: Double) -> RecordSpendRequest {
    var message = RecordSpendRequest(costUSD: dollars)
    message.provider = "openai"
    return message
  }

  @Test func methodsHaveTheContractsNames() {
    let names = [
      "_unknown", "FilterDeployments", "RecordSpend", "GetProviderBudgets", "ReserveSpend",
      "ReleaseReservation", "BackupLedger", "Authenticate", "Ping", "ExplainRequest",
    ]
    #expect(CountedMethod.names.filter { names.contains($0) } == names)
    #expect(CountedMethod.names.count == CountedMethod.count)
    #expect(CountedMethod.names[MethodName.ping.position] == "Ping")
  }

  @Test func everyAnswerIsCountedByMethodAndStatus() throws {
    var fixture = try ServiceFixture([
      ServiceFixture.budget(.provider, "openai", 1), ServiceFixture.budget(.tag, "t", 0),
    ])
    fixture.endsTurns = false
    _ = try fixture.call(.ping)
    _ = try fixture.reply(to: [0xFF, 0xFF])
    _ = try fixture.call(nil)
    _ = try fixture.call(.recordSpend(record(2)))
    _ = try fixture.call(.recordSpend(record(-2)))
    let filter = FilterDeploymentsRequest(
      deployments: [Deployment(id: "a", model: "m", provider: "openai")], tags: ["t"])
    _ = try fixture.call(.filterDeployments(filter))
    let totals = fixture.requests.totals
    func count(_ method: Int, _ status: StatusCode) -> Int {
      totals.answers[method][Int(status.rawValue)]
    }
    #expect(count(MethodName.ping.position, .ok) == 1)
    #expect(count(CountedMethod.unknown, .invalidArgument) == 1)
    #expect(count(CountedMethod.unknown, .unimplemented) == 1)
    #expect(count(MethodName.recordSpend.position, .ok) == 1)
    #expect(count(MethodName.recordSpend.position, .invalidArgument) == 1)
    #expect(count(MethodName.filterDeployments.position, .resourceExhausted) == 1)
    #expect(totals.requests == 6)
    #expect(totals.denials == [1, 0, 0, 0, 0, 0])
    // Measured when the turn ends, not before.
    #expect(totals.durations(MethodName.ping.position).count == 0)
    fixture.service.turnEnded()
    let measured = fixture.requests.totals
    let expected = [
      CountedMethod.unknown: 2, MethodName.filterDeployments.position: 1,
      MethodName.recordSpend.position: 2, MethodName.ping.position: 1,
    ]
    for method in 0..<CountedMethod.count {
      #expect(Int(measured.durations(method).count) == expected[method] ?? 0)
    }
  }

  @Test func aDeferredRequestIsMeasuredWhenItsReplyWasHandedOver() throws {
    var fixture = try ServiceFixture([ServiceFixture.budget(.provider, "openai", 1)])
    fixture.endsTurns = false
    fixture.recorder.answer(.deferred)
    try fixture.callDeferred(
      .recordSpend(record(2)), callID: 9)
    fixture.service.turnEnded()
    let record = MethodName.recordSpend.position
    #expect(fixture.requests.totals.durations(record).count == 0)
    fixture.service.replied(to: fixture.connection, tag: 9)
    fixture.service.turnEnded()
    #expect(fixture.requests.totals.durations(record).count == 1)
    #expect(fixture.requests.totals.answers[record] == Array(repeating: 0, count: 17))
  }

  @Test func aTurnIsMeasuredFromWhatEachRequestWasReceivedAt() {
    func at(_ microseconds: Int64) -> MonotonicInstant {
      MonotonicInstant(nanoseconds: 1_000_000_000 + microseconds * 1_000)
    }
    let counts = RequestCounts()
    var times = TurnTimes()
    times.note(1, receivedAt: at(100))
    times.note(1, receivedAt: at(100))
    times.note(8, receivedAt: at(100))
    times.note(2, receivedAt: at(0))
    times.end(at: at(104), in: counts)
    times.end(at: at(900), in: counts)
    var totals = RequestTotals()
    counts.add(to: &totals)
    #expect(totals.durations(1).counts.first == 2)
    #expect(totals.durations(1).sum == 8_000)
    #expect(totals.durations(8).sum == 4_000)
    #expect(totals.durations(2).sum == 104_000)
    #expect(totals.durations(2).counts[5] == 1)
    #expect(times.hasNothing)
  }

  @Test func writersAreSummed() {
    let counters = AllRequestCounts()
    let (one, two) = (counters.writer(), counters.writer())
    one.count(3, .ok)
    two.count(3, .ok, times: 4)
    counters.count(3, .ok)
    one.countOmitted(7)
    two.countDenial(by: .tag)
    let totals = counters.totals
    #expect(totals.answers[3][0] == 6)
    #expect(totals.denialsOmitted == 7)
    #expect(totals.repliesShortened == 1)
    #expect(totals.denials == [0, 0, 1, 0, 0, 0])
  }
}
