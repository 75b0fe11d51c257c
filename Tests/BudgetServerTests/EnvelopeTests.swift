import BudgetModel
import BudgetWire
import SpendLedger
import Testing

@testable import BudgetServer
@testable import TCPTransport

@Suite struct EnvelopeTests {
  @Test func pingSaysWhoAnswers() throws {
    let reply = try ServiceFixture([]).call(.ping)
    guard case .ping(let ping) = reply.result else {
      Issue.record("no ping")
      return
    }
    #expect(ping.version == "1.2.3" && ping.nodeID == "node-a" && ping.isReady)
    #expect(ping.durability == "commit" && ping.storeState == "none")
    #expect(ping.idempotencyHorizonUnixMilliseconds == 42 && ping.notReadyReason.isEmpty)
  }

  @Test func pingSaysWhyNothingIsRecorded() throws {
    let fixture = ServiceFixture([])
    fixture.recorder.becomeUnready("the disk is full")
    guard case .ping(let ping) = try fixture.call(.ping).result else {
      Issue.record("no ping")
      return
    }
    #expect(!ping.isReady && ping.notReadyReason == "the disk is full")
  }

  @Test func aCallIDThatIsUnderWayIsRefusedUntilItWasAnswered() throws {
    let fixture = try ServiceFixture([ServiceFixture.budget(.provider, "p", 1)])
    var record = RecordSpendRequest(costUSD: 1)
    record.provider = "p"
    fixture.recorder.answer(.deferred)
    try fixture.callDeferred(.recordSpend(record), callID: 9)
    #expect(fixture.recorder.taken.map(\.token.low) == [9])
    let again = try fixture.call(.ping, callID: 9)
    #expect(again.status?.code == .invalidArgument)
    #expect(
      again.status?.message == "call_id 9 is under way on this connection: use ids that are not")
    #expect(try fixture.call(.ping, callID: 10).status == nil)
    fixture.service.replied(to: fixture.connection, tag: 9)
    #expect(try fixture.call(.ping, callID: 9).status == nil)
    // A connection that goes takes its calls along: the next one in its slot is free to use them.
    try fixture.callDeferred(.recordSpend(record), callID: 9)
    fixture.service.connectionClosed(fixture.connection, requestsUnderWay: 1, midFrame: false)
    #expect(try fixture.call(.ping, callID: 9).status == nil)
  }

  @Test func aTimeoutThatHasPassedAppliesNothing() throws {
    let fixture = try ServiceFixture([ServiceFixture.budget(.provider, "p", 1)])
    var record = RecordSpendRequest(costUSD: 1)
    record.provider = "p"
    let late = try fixture.call(
      .recordSpend(record), timeoutMilliseconds: 50, age: .milliseconds(51))
    #expect(late.status?.code == .deadlineExceeded)
    let inTime = try fixture.call(.recordSpend(record), timeoutMilliseconds: 60_000)
    #expect(inTime.status == nil)
    let budgets = try fixture.call(.getProviderBudgets(GetProviderBudgetsRequest())).page
    #expect(budgets.providers.map(\.spendUSD) == [1])
  }

  @Test func whatThisBuildDoesNotHaveIsUnimplemented() throws {
    let fixture = ServiceFixture([])
    #expect(try fixture.call(nil).status?.code == .unimplemented)
    let empty = try fixture.reply(to: [])
    #expect(empty.callID == 0 && empty.status?.code == .unimplemented)
    // call_id 5, and an empty message as each method that comes later, then one of no contract.
    for field in [26, 27] as [UInt8] {
      let key = field < 16 ? [field << 3 | 2] : [field << 3 | 0x82, field >> 4]
      let reply = try fixture.reply(to: [0x08, 5] + key + [0])
      #expect(reply.callID == 5)
      #expect(reply.status?.code == .unimplemented, "field \(field)")
    }
  }

  @Test func callIDZeroIsRefusedBeforeTheMethod() throws {
    let reply = try ServiceFixture([]).call(.ping, callID: 0)
    #expect(reply.callID == 0)
    #expect(reply.status?.code == .invalidArgument)
  }

  @Test func connectionsAreToldWhyTheyAreTurnedAway() throws {
    let service = ServiceFixture([]).service
    let reasons: [(ConnectionRefusal, StatusCode)] = [
      (.frameTooLarge(length: 300_000, bound: 262_144), .resourceExhausted),
      (.frameTimedOut(bound: .seconds(5)), .deadlineExceeded),
      (.tooManyConnections(bound: 16_384), .unavailable), (.draining, .unavailable),
    ]
    for (reason, code) in reasons {
      var output: [UInt8] = []
      service.refusal(reason, output: &output)
      let message = try ServiceFixture.message(in: output)
      #expect(message.callID == 0)
      #expect(message.status?.code == code)
    }
  }
}
