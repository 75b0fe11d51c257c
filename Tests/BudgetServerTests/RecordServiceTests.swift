import BudgetModel
import BudgetWire
import Locks
import NodeFixture
import SpendLedger
import Testing

@testable import BudgetServer

@Suite struct RecordServiceTests {
  private func record(
    _ fixture: ServiceFixture, _ cost: Double?, change: (inout RecordSpendRequest) -> Void
  ) throws -> ResponseMessage {
    var message = RecordSpendRequest(costUSD: cost)
    change(&message)
    return try fixture.call(.recordSpend(message))
  }

  @Test func eachBudgetIsChargedOnceAndSpendOverTheLimitIsTaken() throws {
    let fixture = try ServiceFixture(
      [
        ServiceFixture.budget(.provider, "openai", 1), ServiceFixture.budget(.deployment, "d", 1),
        ServiceFixture.budget(.tag, "t", 1),
      ],
      deployments: [
        ConfiguredDeployment(id: "d", modelName: "g", model: "m", provider: "openai")
      ])
    let reply = try record(fixture, 5) {
      $0.provider = "openai"
      $0.deploymentID = "d"
      $0.tags = ["t", "t", "unbudgeted", ""]
    }
    #expect(try reply.recorded == RecordSpendResponse(isDuplicate: false, budgetsCharged: 3))
    var ask = GetProviderBudgetsRequest()
    ask.includesDeployments = true
    ask.includesTags = true
    let page = try fixture.call(.getProviderBudgets(ask)).page
    for budget in page.providers + page.deployments + page.tags {
      #expect(budget.spendUSD == 5)
      #expect(budget.remainingUSD == -4)
      #expect(budget.isExhausted)
    }
  }

  @Test func costsThatAreNoAmountsAreRefusedAndChargeNothing() throws {
    let fixture = try ServiceFixture([ServiceFixture.budget(.provider, "p", 1)])
    let refusals: [(Double?, String)] = [
      (nil, "cost_usd is absent: send 0 for a free request"),
      (-0.5, "cost_usd -0.5 is negative: give 0 to 9000000000"),
      (.nan, "cost_usd nan is not a number: give 0 to 9000000000"),
      (.infinity, "cost_usd inf is too much: give 0 to 9000000000"),
      (9_000_000_001, "cost_usd 9000000001.0 is too much: give 0 to 9000000000"),
    ]
    for (cost, message) in refusals {
      let reply = try record(fixture, cost) { $0.provider = "p" }
      #expect(reply.status == RPCStatus(.invalidArgument, message))
    }
    #expect(fixture.counters.refusedRequests == refusals.count)
    let budgets = try fixture.call(.getProviderBudgets(GetProviderBudgetsRequest())).page
    #expect(budgets.providers.map(\.spendUSD) == [0])
  }

  @Test func aRecordMustNameSomethingThatItCouldCharge() throws {
    let fixture = ServiceFixture([])
    #expect(try record(fixture, 1) { _ in }.status?.code == .invalidArgument)
    #expect(try record(fixture, 1) { $0.tags = [""] }.status?.code == .invalidArgument)
    for name in ["p", "p\0"] {
      #expect(try record(fixture, 1) { $0.provider = name }.recorded.budgetsCharged == 0)
    }
    #expect(try record(fixture, 1) { $0.tags = ["t"] }.recorded.budgetsCharged == 0)
    // Any name will do, also one that no provider follows from.
    #expect(try record(fixture, 1) { $0.model = "nobody" }.recorded.budgetsCharged == 0)
    #expect(try record(fixture, 1) { $0.modelName = "chat" }.recorded.budgetsCharged == 0)
    #expect(fixture.counters.unbudgetedRecords == 5)
    #expect(fixture.counters.unresolvedModels == 1)
  }

  @Test func keysOutsideTheirBoundsAreRefused() throws {
    let fixture = try ServiceFixture([ServiceFixture.budget(.provider, "p", 1)])
    let long = String(repeating: "k", count: 257)
    #expect(
      try record(fixture, 1) {
        $0.provider = "p"
        $0.idempotencyKey = long
      }.status?.message
        == "idempotency_key of 257 bytes: give at most 256 bytes of UTF-8 without control "
        + "characters")
    #expect(
      try record(fixture, 1) {
        $0.provider = "p"
        $0.reservationID = "a\tb"
      }.status?.code == .invalidArgument)
  }

  @Test func theKeyTellsFieldsApartAndTheRefusalsHaveTheirStatus() throws {
    let fixture = try ServiceFixture([ServiceFixture.budget(.provider, "p", 1)])
    func take(_ key: String, _ cost: Double, _ tags: [String]) throws {
      _ = try record(fixture, cost) {
        $0.provider = "p"
        $0.idempotencyKey = key
        $0.tags = tags
      }
    }
    try take("k", 1, ["a", "b"])
    try take("k", 1, ["b", "a", "b"])
    try take("k", 2, ["a", "b"])
    try take("l", 1, ["a", "b"])
    try take("", 1, [])
    let keys = fixture.recorder.taken.map(\.key)
    #expect(keys[0] == keys[1] && keys[4] == nil)
    #expect(keys[2]?.digest == keys[0]?.digest && keys[2]?.fingerprint != keys[0]?.fingerprint)
    #expect(keys[3]?.digest != keys[0]?.digest && keys[3]?.fingerprint == keys[0]?.fingerprint)

    let refusals: [(RecordRefusal, StatusCode)] = [
      (.mismatch, .alreadyExists), (.tooOld(horizon: ServiceFixture.start), .outOfRange),
      (.ledger(.queueFull), .unavailable),
      (.ledger(.diskFull), .unavailable), (.unknown, .unknown),
    ]
    for (refusal, code) in refusals {
      fixture.recorder.answer(.refused(refusal))
      #expect(try record(fixture, 1) { $0.provider = "p" }.status?.code == code)
    }
    fixture.recorder.answer(.duplicate)
    #expect(
      try record(fixture, 1) { $0.provider = "p" }.recorded
        == RecordSpendResponse(isDuplicate: true, budgetsCharged: 0))
  }

  /// Times in keys are of wall clocks, and are handed on in fleet time: whatever that began with, a
  /// key made now is one made now.
  @Test(arguments: [0, -600_000, 600_000, 90_000_000, -90_000_000] as [Int64])
  func timesInKeysAreJudgedByTheWallClock(_ ahead: Int64) throws {
    let fixture = try ServiceFixture([ServiceFixture.budget(.provider, "p", 1, "1d")])
    fixture.time.setWall(aheadBy: ahead)
    let wall = fixture.time.wall().unixMilliseconds
    let digits = String(wall + 7, radix: 16)
    let hex = String(repeating: "0", count: 12 - digits.count) + digits
    let key = "\(hex.prefix(8))-\(hex.suffix(4))-7000-8000-000000000001"
    for _ in 0..<2 {
      // The second comes the short way, for its subject is known.
      _ = try record(fixture, 1) {
        $0.provider = "p"
        $0.idempotencyKey = key
      }
    }
    let made = Timestamp(unixMilliseconds: fixture.time.now().unixMilliseconds + 7)
    #expect(fixture.recorder.taken.map { $0.key?.madeAt } == [made, made])
  }

  @Test func spendIsLabelledByTheWindowOfItsInstant() throws {
    let fixture = try ServiceFixture([ServiceFixture.budget(.provider, "p", 1, "60s")])
    func spend() throws -> [Double] {
      try fixture.call(.getProviderBudgets(GetProviderBudgetsRequest())).page.providers
        .map(\.spendUSD)
    }
    _ = try record(fixture, 0.25) { $0.provider = "p" }
    fixture.time.advance(milliseconds: 60_000)
    #expect(try spend() == [0.25])
    fixture.time.advance(milliseconds: 1)
    #expect(try spend() == [0])
  }
}
