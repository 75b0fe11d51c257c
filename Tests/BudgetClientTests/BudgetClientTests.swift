import BudgetWire
import Sockets
import Synchronization
import TCPTransport
import Testing

@testable import BudgetClient

/// The client against a scripted server, over loopback.
@Suite(.timeLimit(.minutes(1))) struct BudgetClientTests {
  private func client(
    _ server: FakeServer, _ change: (inout BudgetClientSettings) -> Void = { _ in }
  ) throws -> BudgetClient {
    var settings = BudgetClientSettings()
    settings.timeout = .seconds(30)
    settings.shortestBackoff = .milliseconds(1)
    settings.longestBackoff = .milliseconds(5)
    change(&settings)
    return try BudgetClient(server: server.address, settings: settings)
  }

  /// Waits until the server has seen `count` requests, ten seconds at most.
  private func seen(
    _ count: Int, by server: FakeServer, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> [FakeServer.Seen] {
    try await eventually("\(count) requests", sourceLocation: sourceLocation) {
      server.seen.count >= count
    }
    return server.seen
  }

  private func eventually(
    _ what: String, sourceLocation: SourceLocation = #_sourceLocation, _ condition: () -> Bool
  ) async throws {
    let until = MonotonicInstant.now().advanced(by: .seconds(10))
    while !condition() {
      if MonotonicInstant.now() > until {
        Issue.record("never: \(what)", sourceLocation: sourceLocation)
        throw CancellationError()
      }
      try await Task.sleep(for: .milliseconds(1))
    }
  }

  @Test func manyCallsShareAConnectionWhateverTheOrderOfTheAnswers() async throws {
    let count = 500
    let server = try FakeServer { _ in .hold }
    let client = try client(server)
    async let answering: Void = {
      let held = try await seen(count, by: server)
      server.release(held.shuffled())
    }()
    let charged = try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<count {
        group.addTask {
          try await client.recordSpend(RecordSpendRequest(costUSD: 1)).budgetsCharged
        }
      }
      return try await group.reduce(into: Set<Int>()) { $0.insert($1) }
    }
    try await answering
    #expect(charged == Set(1...count))
    #expect(Set(server.seen.map(\.connection)) == [1])
    #expect(server.seen.allSatisfy { (1...30_000).contains($0.timeoutMilliseconds) })
  }

  @Test func noMoreCallsAreUnderWayThanMayBe() async throws {
    let server = try FakeServer { _ in .hold }
    let client = try client(server) { $0.maximumCallsUnderWay = 2 }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for _ in 0..<6 { group.addTask { _ = try await client.ping() } }
      for round in 1...3 {
        let all = try await seen(2 * round, by: server)
        // Nothing further can come before these are answered.
        #expect(all.count == 2 * round)
        server.release(Array(all.suffix(2)))
      }
      try await group.waitForAll()
    }
  }

  @Test func aRecordOnALostConnectionIsUnknownAndNotSentAgain() async throws {
    let server = try FakeServer { $0.isRecord ? .drop : .answer }
    let client = try client(server)
    let error = await #expect(throws: BudgetClientError.self) {
      _ = try await client.recordSpend(RecordSpendRequest(costUSD: 1))
    }
    #expect(error?.outcome == .unknown)
    _ = try await client.ping()
    #expect(server.seen.filter(\.isRecord).count == 1)
  }

  @Test func aReadOnALostConnectionIsSentAgain() async throws {
    let server = try FakeServer { $0.connection == 1 ? .drop : .answer }
    let client = try client(server)
    #expect(try await client.ping().isReady)
    #expect(server.seen.map(\.connection) == [1, 2])
  }

  @Test func aReadThatIsLostTwiceEnds() async throws {
    let server = try FakeServer { _ in .drop }
    let client = try client(server)
    let error = await #expect(throws: BudgetClientError.self) { _ = try await client.ping() }
    #expect(error?.outcome == .notApplied)
    #expect(server.seen.count == 2)
  }

  @Test func aServerThatNeverAnswersIsNotWaitedForLongerThanAsked() async throws {
    let server = try FakeServer { $0.isRecord ? .hold : .answer }
    let client = try client(server)
    // Connected before, so that the time is spent waiting for the answer.
    _ = try await client.ping()
    let error = await #expect(throws: BudgetClientError.self) {
      _ = try await client.recordSpend(
        RecordSpendRequest(costUSD: 1), timeout: .milliseconds(300))
    }
    #expect(error == .unknown(.timedOut(after: .milliseconds(300))))
    // The answer that comes after all disturbs nobody.
    server.release(Array(try await seen(2, by: server).suffix(1)))
    async let later = client.recordSpend(RecordSpendRequest(costUSD: 1))
    server.release(Array(try await seen(3, by: server).suffix(1)))
    #expect(try await later.budgetsCharged == 3)
  }

  @Test func cancellingEndsTheCall() async throws {
    let server = try FakeServer { _ in .hold }
    let client = try client(server)
    let call = Task { try await client.recordSpend(RecordSpendRequest(costUSD: 1)) }
    _ = try await seen(1, by: server)
    call.cancel()
    await #expect(throws: BudgetClientError.unknown(.cancelled)) { _ = try await call.value }
    let early = Task { try await client.recordSpend(RecordSpendRequest(costUSD: 1)) }
    early.cancel()
    let error = await #expect(throws: BudgetClientError.self) { _ = try await early.value }
    #expect(error?.reason == .cancelled)
  }

  @Test func closingEndsAllCalls() async throws {
    let server = try FakeServer { _ in .hold }
    let client = try client(server)
    let calls = (0..<10).map { _ in
      Task { try await client.recordSpend(RecordSpendRequest(costUSD: 1)) }
    }
    _ = try await seen(10, by: server)
    client.close()
    for call in calls {
      await #expect(throws: BudgetClientError.unknown(.clientClosed)) { _ = try await call.value }
    }
    await #expect(throws: BudgetClientError.notApplied(.clientClosed)) {
      _ = try await client.ping()
    }
  }

  @Test(arguments: [FakeServer.Act.garbage, .answerAs(99)])
  func whatIsNoAnswerEndsTheConnection(_ act: FakeServer.Act) async throws {
    let server = try FakeServer { $0.connection == 1 ? act : .answer }
    let client = try client(server)
    let error = await #expect(throws: BudgetClientError.self) {
      _ = try await client.recordSpend(RecordSpendRequest(costUSD: 1))
    }
    #expect(error?.outcome == .unknown)
    guard case .unreadableAnswer? = error?.reason else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(try await client.ping().isReady)
    #expect(server.seen.last?.connection == 2)
  }

  @Test func refusalsSayWhatTheServerSaid() async throws {
    let status = RPCStatus(.unavailable, "the disk is full")
    let server = try FakeServer { _ in .refuse(status) }
    let client = try client(server)
    let error = await #expect(throws: BudgetClientError.self) {
      _ = try await client.recordSpend(RecordSpendRequest(costUSD: 1))
    }
    #expect(error == .notApplied(.refused(status)))
    #expect(error?.description == "the server answered UNAVAILABLE: the disk is full")
  }

  @Test func aServerThatComesLaterIsFound() async throws {
    let address: String
    do {
      let gone = try FakeServer { _ in .answer }
      address = gone.address
      await gone.transport.drain(within: .seconds(1))
    }
    var settings = BudgetClientSettings()
    settings.longestBackoff = .milliseconds(50)
    let client = try BudgetClient(server: address, settings: settings)
    let error = await #expect(throws: BudgetClientError.self) { _ = try await client.ping() }
    #expect(error?.outcome == .notApplied)
    #expect(error?.reason == .unreachable(server: address, why: "connection refused"))
    let server = try FakeServer(address: address) { _ in .answer }
    #expect(try await client.ping().isReady)
    #expect(server.seen.count == 1)
  }

  @Test func aRequestOverTheBoundIsNotSent() async throws {
    let server = try FakeServer { _ in .answer }
    let client = try client(server)
    var request = RecordSpendRequest(costUSD: 1)
    request.tags = (0..<1_100).map { _ in String(repeating: "x", count: 256) }
    let error = await #expect(throws: BudgetClientError.self) {
      _ = try await client.recordSpend(request)
    }
    #expect(error?.outcome == .notApplied)
    guard case .requestTooLong(_, let bound)? = error?.reason else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(bound == 262_144)
    #expect(try await client.ping().isReady)
    #expect(server.seen.count == 1)
  }

  @Test func anAnswerToAnotherMethodIsNoAnswer() async throws {
    let server = try FakeServer { _ in .answer }
    let client = try client(server)
    await #expect(throws: BudgetClientError.self) {
      _ = try await client.filterDeployments(FilterDeploymentsRequest(modelName: "x"))
    }
  }

  @Test func anAddressThatIsNoneIsRefused() {
    #expect(throws: BudgetClientError.self) { _ = try BudgetClient(server: "nowhere") }
  }

  @Test func theConnectionGoesWithTheClient() async throws {
    let server = try FakeServer { _ in .answer }
    do {
      let client = try client(server)
      _ = try await client.ping()
    }
    try await eventually("the server sees the end") {
      server.transport.counters.connectionsOpen == 0
    }
  }
}
