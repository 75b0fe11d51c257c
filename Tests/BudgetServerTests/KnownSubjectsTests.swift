import BudgetEngine
import BudgetModel
import BudgetWire
import NodeFixture
import SeededRandom
import SpendLedger
import Testing

@testable import BudgetServer
@testable import TCPTransport

/// A record whose subject came before is recorded as by the long way.
@Suite struct KnownSubjectsTests {
  private static let tags = (0..<6).map { "team-\($0)" }
  private static let providers = ["openai", "azure"]
  private static let deployments = (0..<4).map {
    ConfiguredDeployment(id: "dep-\($0)", modelName: "m", model: "gpt-4o", provider: "openai")
  }

  private static func budgets(limit: Int64 = 100) throws -> [BudgetDefinition] {
    try providers.map { try ServiceFixture.budget(.provider, $0, limit) }
      + deployments.map { try ServiceFixture.budget(.deployment, $0.id, limit) }
      + tags.dropLast().map { try ServiceFixture.budget(.tag, $0, limit) }
  }

  private static func fixture() throws -> ServiceFixture {
    ServiceFixture(try budgets(), deployments: deployments)
  }

  private static func record(_ dollars: Double? = 1, key: String = "k") -> RecordSpendRequest {
    var message = RecordSpendRequest(costUSD: dollars)
    message.provider = "openai"
    message.deploymentID = "dep-1"
    message.model = "openai/gpt-4o"
    message.tags = ["team-1", "team-0"]
    message.idempotencyKey = key
    return message
  }

  /// A record from outside, in all shapes, the usual one most often.
  private static func random(
    _ index: Int, using random: inout some RandomNumberGenerator
  ) -> RecordSpendRequest {
    func isRare(_ random: inout some RandomNumberGenerator) -> Bool {
      Int.random(in: 0..<12, using: &random) == 0
    }
    let costs: [Double?] = [nil, .nan, -1, .infinity, 1e300, 0, -0.0, .leastNonzeroMagnitude]
    var message = record(Double(Int.random(in: 0...9, using: &random)) / 1_000, key: "key-\(index)")
    if isRare(&random) { message.costUSD = costs.randomElement(using: &random) ?? nil }
    message.provider = ["openai", "azure", "", "nobody"].randomElement(using: &random) ?? ""
    message.deploymentID = ["dep-0", "dep-3", "", "dep-9"].randomElement(using: &random) ?? ""
    message.model = ["openai/gpt-4o", "azure/x", "", "?"].randomElement(using: &random) ?? ""
    message.tags = (0..<Int.random(in: 0...3, using: &random)).map { _ in
      tags.randomElement(using: &random) ?? ""
    }
    if isRare(&random) { message.tags.append(["", "\u{1}", "team-0"].randomElement() ?? "") }
    if isRare(&random) {
      let keys = [
        "", "\u{7}", String(repeating: "k", count: 257), "018f3c1e-7b2a-7abc-8def-000000000001",
      ]
      message.idempotencyKey = keys.randomElement(using: &random) ?? ""
    }
    if Int.random(in: 0..<4, using: &random) == 0 {
      let ids = ["r", "r1-1-4f-tfb1xz-3e8-n1", "r1-2-4f-tfb1xz-3e8-node-b"]
      message.reservationID = ids.randomElement(using: &random) ?? ""
      // Its name is the key then.
      if Bool.random(using: &random) { message.idempotencyKey = "" }
    }
    return message
  }

  @Test func theShortWayIsTheLongWay() throws {
    let seed = UInt64.random(in: 0 ... .max)
    var random = SeededRandom(seed: seed)
    let warm = try Self.fixture()
    for index in 0..<600 {
      let cold = try Self.fixture()
      let message = Self.random(index, using: &random)
      let taken = warm.recorder.taken.count
      let counted = (warm.counters.unusableNames, warm.counters.unresolvedModels)
      let unbudgeted = warm.counters.unbudgetedRecords
      let answer = try warm.call(.recordSpend(message), callID: UInt64(index + 1))
      let expected = try cold.call(.recordSpend(message), callID: UInt64(index + 1))
      let comment: Comment = "seed \(seed), \(message)"
      #expect(answer == expected, comment)
      #expect(Array(warm.recorder.taken[taken...]) == cold.recorder.taken, comment)
      #expect(warm.counters.unusableNames - counted.0 == cold.counters.unusableNames, comment)
      #expect(
        warm.counters.unresolvedModels - counted.1 == cold.counters.unresolvedModels, comment)
      #expect(
        warm.counters.unbudgetedRecords - unbudgeted == cold.counters.unbudgetedRecords, comment)
    }
  }

  /// A reservation is a part of a record's fingerprint, whatever of the record came before.
  @Test(
    arguments: [["", "", "", "r1", "r2", ""], ["r1", "r1", "r1", "r2", "", "r1"]], [true, false])
  func anotherReservationIsAnotherRecord(_ reservations: [String], hasKey: Bool) throws {
    let warm = try Self.fixture()
    for (index, reservation) in reservations.enumerated() {
      var message = Self.record(key: hasKey ? "key-\(index)" : "")
      // Without a key, one that a node could have made stands for it.
      message.reservationID =
        hasKey || reservation.isEmpty ? reservation : "r1-1-4f-tfb1xz-\(reservation)-n1"
      let cold = try Self.fixture()
      for fixture in [warm, cold] { _ = try fixture.call(.recordSpend(message)) }
      #expect(warm.recorder.taken.count == index + 1)
      #expect(warm.recorder.taken.last == cold.recorder.taken.last, "record \(index)")
    }
  }

  @Test func bothWaysChargeTheSame() throws {
    let fixture = try Self.fixture()
    for index in 0..<5 {
      let reply = try fixture.call(.recordSpend(Self.record(2, key: "k\(index)")))
      #expect(try reply.recorded.budgetsCharged == 4)
    }
    var request = GetProviderBudgetsRequest()
    request.includesDeployments = true
    request.includesTags = true
    let page = try fixture.call(.getProviderBudgets(request)).page
    #expect(page.providers.first { $0.name == "openai" }?.spendUSD == 10)
    #expect(page.deployments.first { $0.name == "dep-1" }?.spendUSD == 10)
    #expect(page.tags.filter { $0.spendUSD == 10 }.map(\.name) == ["team-0", "team-1"])
  }

  @Test func aReloadIsSeenByTheNextRecord() throws {
    let fixture = try Self.fixture()
    for index in 0..<2 {
      let reply = try fixture.call(.recordSpend(Self.record(key: "k\(index)")))
      #expect(try reply.recorded.budgetsCharged == 4)
    }
    let fewer = BudgetConfiguration(
      budgets: [try ServiceFixture.budget(.tag, "team-0", 5)], deployments: Self.deployments,
      directory: .empty)
    _ = fixture.engine.reload(fewer, at: fixture.time.now())
    #expect(try fixture.call(.recordSpend(Self.record(key: "k3"))).recorded.budgetsCharged == 1)
  }

  @Test func aKnownRecordStillHasItsCallIDAndItsTime() throws {
    let fixture = try Self.fixture()
    _ = try fixture.call(.recordSpend(Self.record(key: "a")), callID: 1)
    let late = try fixture.call(
      .recordSpend(Self.record(key: "b")), callID: 2, timeoutMilliseconds: 5,
      age: .milliseconds(6))
    #expect(late.status?.code == .deadlineExceeded)
    fixture.recorder.answer(.deferred)
    try fixture.callDeferred(.recordSpend(Self.record(key: "c")), callID: 3)
    let again = try fixture.call(.recordSpend(Self.record(key: "d")), callID: 3)
    #expect(again.status?.code == .invalidArgument)
    #expect(fixture.recorder.taken.count == 2, "neither was taken")
    fixture.recorder.answer(.refused(.ledger(.diskFull)))
    let refused = try fixture.call(.recordSpend(Self.record(key: "e")), callID: 4)
    #expect(refused.status?.code == .unavailable)
  }
}
