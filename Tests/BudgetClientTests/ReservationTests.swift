import BudgetWire
import Testing

@testable import BudgetClient

/// `withReservation` on each way out, against a scripted server.
@Suite(.timeLimit(.minutes(1))) struct ReservationTests {
  private struct Failed: Error {}

  private static func client(_ server: FakeServer) throws -> BudgetClient {
    var settings = BudgetClientSettings()
    settings.timeout = .seconds(30)
    return try BudgetClient(server: server.address, settings: settings)
  }

  private static let request = ReserveSpendRequest(amountUSD: 0.5)

  /// The requests that came: `reserve`, `settle` and `release`, with the reservation they name.
  private static func asked(_ server: FakeServer) -> [String] {
    server.seen.map { seen in
      if seen.isFilter { return "filter" }
      let what = seen.isReserve ? "reserve" : seen.isRecord ? "settle" : "release"
      return seen.reservation.map { "\(what) \($0)" } ?? what
    }
  }

  @Test func aSettledOneIsNotGivenBack() async throws {
    let server = try FakeServer { _ in .answer }
    let client = try Self.client(server)
    let charged = try await client.withReservation(Self.request) { open in
      #expect(open.reservation?.amountUSD == 0.5 && open.deployment == nil)
      return try await open.settle(costUSD: 0.25).budgetsCharged
    }
    #expect(charged == 2)
    #expect(Self.asked(server) == ["reserve", "settle r1-1"])
  }

  @Test func itIsSettledOnce() async throws {
    let server = try FakeServer { _ in .answer }
    let client = try Self.client(server)
    try await client.withReservation(Self.request) { open in
      try await open.settle(costUSD: 0.25)
      let error = await #expect(throws: BudgetClientError.self) {
        try await open.settle(costUSD: 0.25)
      }
      #expect(error == .notApplied(.alreadySettled))
    }
    #expect(Self.asked(server) == ["reserve", "settle r1-1"])
  }

  @Test func whatIsNotSettledIsGivenBack() async throws {
    let server = try FakeServer { _ in .answer }
    let client = try Self.client(server)
    try await client.withReservation(Self.request) { _ in }
    await #expect(throws: Failed.self) {
      try await client.withReservation(Self.request) { _ in throw Failed() }
    }
    #expect(Self.asked(server) == ["reserve", "release r1-1", "reserve", "release r1-3"])
  }

  @Test func aCancelledTaskGivesBackAndSettlesAllTheSame() async throws {
    let server = try FakeServer { _ in .answer }
    let client = try Self.client(server)
    let leaving = Task {
      try await client.withReservation(Self.request) { _ in
        unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
        try Task.checkCancellation()
      }
    }
    await #expect(throws: CancellationError.self) { try await leaving.value }
    let settling = Task {
      try await client.withReservation(Self.request) { open in
        unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
        try await open.settle(costUSD: 0.25)
      }
    }
    _ = try await settling.value
    #expect(Self.asked(server) == ["reserve", "release r1-1", "reserve", "settle r1-3"])
  }

  private static let choice: FilterDeploymentsRequest = {
    var request = FilterDeploymentsRequest(deployments: [Deployment(id: "d")])
    request.reserve = ReserveOptions(amountUSD: 0.5)
    return request
  }()

  /// A body that is not to be run.
  private static func unwanted(_ open: OpenReservation) { Issue.record("it was run") }

  /// Each way to reserve, and the request by which it does.
  private static let ways: [(asks: String, call: @Sendable (BudgetClient) async throws -> Void)] = [
    ("reserve", { try await $0.withReservation(request, unwanted) }),
    ("filter", { try await $0.withReservation(choosing: choice, unwanted) }),
    ("reserve", { _ = try await $0.reserveSpend(request) }),
    ("filter", { _ = try await $0.filterDeployments(choice) }),
  ]

  @Test(arguments: ways.indices)
  func whatIsHeldForACallerThatLeftIsGivenBack(_ way: Int) async throws {
    let (asks, call) = Self.ways[way]
    let server = try FakeServer { $0.isReserve || $0.isFilter ? .hold : .answer }
    let client = try Self.client(server)
    let leaving = Task { try await call(client) }
    while server.seen.isEmpty { await Task.yield() }
    leaving.cancel()
    server.release(server.seen)
    await #expect(throws: BudgetClientError.notApplied(.cancelled)) { try await leaving.value }
    #expect(Self.asked(server) == [asks, "release r1-1"])
  }

  @Test func aCallerThatLeftBeforeAsksForNothing() async throws {
    let server = try FakeServer { _ in .answer }
    let client = try Self.client(server)
    let leaving = Task {
      unsafe withUnsafeCurrentTask { unsafe $0?.cancel() }
      try await client.withReservation(Self.request, Self.unwanted)
    }
    await #expect(throws: BudgetClientError.notApplied(.cancelled)) { try await leaving.value }
    #expect(server.seen.isEmpty)
  }

  /// Its connection is lost with the answer: the key makes the second try the same reservation.
  @Test func whatMayBeHeldIsAskedForAgainUnderItsKey() async throws {
    let server = try FakeServer { $0.connection == 1 ? .drop : .answer }
    let client = try Self.client(server)
    _ = try await client.withReservation(Self.request) { open in
      try await open.settle(costUSD: 0.25)
    }
    #expect(Self.asked(server) == ["reserve", "reserve", "settle r1-1"])
    #expect(server.seen[0].key == server.seen[1].key && !server.seen[0].key.isEmpty)
    let other = try FakeServer { $0.connection == 1 ? .drop : .answer }
    var choice = Self.choice
    choice.reserve?.idempotencyKey = "mine"
    try await Self.client(other).withReservation(choosing: choice) { open in
      #expect(open.deployment?.id == "d")
    }
    #expect(Self.asked(other) == ["filter", "filter", "release r1-1"])
    #expect(other.seen.prefix(2).map(\.key) == ["mine", "mine"])
  }

  /// Without a key a second try could hold a second time, so it is the caller's to decide.
  @Test func aReservationWithoutAScopeIsAskedForOnce() async throws {
    let server = try FakeServer { _ in .drop }
    let client = try Self.client(server)
    let error = await #expect(throws: BudgetClientError.self) {
      try await client.reserveSpend(Self.request)
    }
    #expect(error?.outcome == .unknown && Self.asked(server) == ["reserve"])
    // Twice in all with one: nobody can say then.
    let scoped = await #expect(throws: BudgetClientError.self) {
      try await client.withReservation(Self.request, Self.unwanted)
    }
    #expect(scoped?.outcome == .unknown && server.seen.count == 3)
  }

  @Test func afterARefusalItIsGivenBackAndAfterADoubtItIsNot() async throws {
    for (code, expected) in [
      (StatusCode.unavailable, ["reserve", "settle r1-1", "release r1-1"]),
      (.unknown, ["reserve", "settle r1-1"]),
    ] {
      let server = try FakeServer { $0.isRecord ? .refuse(RPCStatus(code, "disk")) : .answer }
      let client = try Self.client(server)
      await #expect(throws: BudgetClientError.self) {
        try await client.withReservation(Self.request) { open in
          try await open.settle(costUSD: 0.25)
        }
      }
      #expect(Self.asked(server) == expected)
    }
  }

  @Test func withoutRoomTheBodyIsNotRun() async throws {
    let status = RPCStatus(.resourceExhausted, "Would exceed budget for tag t: 1 + 0.5 > 1")
    let server = try FakeServer { _ in .refuse(status) }
    let client = try Self.client(server)
    await #expect(throws: BudgetClientError.notApplied(.refused(status))) {
      try await client.withReservation(Self.request) { _ in Issue.record("it was run") }
    }
    #expect(Self.asked(server) == ["reserve"])
  }
}
