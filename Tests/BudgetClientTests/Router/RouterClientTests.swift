import BudgetWire
import Sockets
import Testing

@testable import BudgetClient

/// The client as its users see it, against scripted servers.
@Suite(.timeLimit(.minutes(1))) struct RouterClientTests {
  private struct Failed: Error {}

  /// Calls that nothing but their answers end.
  private static func client(
    _ addresses: [String], _ onUnavailable: OnUnavailable = .closed,
    _ change: (inout RouterSettings) -> Void = { _ in }
  ) throws -> RouterClient {
    var settings = RouterSettings()
    settings.filterTimeout = .seconds(30)
    settings.reserveTimeout = .seconds(30)
    settings.recordTimeout = .seconds(30)
    settings.callTimeout = .seconds(30)
    settings.connectTimeout = .seconds(30)
    settings.log = { _ in }
    change(&settings)
    return try RouterClient(addresses, onUnavailable: onUnavailable, settings: settings)
  }

  private static let request = ReserveSpendRequest(amountUSD: 0.5)

  /// The requests that came: `reserve`, `settle` and `release`, with the reservation they name.
  private static func asked(_ server: FakeServer) -> [String] {
    server.seen.map { seen in
      let what = seen.isReserve ? "reserve" : seen.isRecord ? "settle" : "release"
      return seen.reservation.map { "\(what) \($0)" } ?? what
    }
  }

  @Test func aHoldIsSettledOnceOrReleased() async throws {
    let server = try FakeServer { _ in .answer }
    let client = try Self.client([server.address])
    try await client.withReservation(Self.request) { hold in
      #expect(hold.reservedUSD == 0.5 && hold.unavailable == nil)
      let key = try hold.settle(costUSD: 0.25, key: "k")
      #expect(key == "k")
      #expect(try hold.settle(costUSD: 9) == "k")
    }
    // Records are sent beside calls: the next call may come before them.
    #expect(await client.flush() == 0)
    await #expect(throws: Failed.self) {
      try await client.withReservation(Self.request) { _ in throw Failed() }
    }
    #expect(await client.flush() == 0)
    #expect(Self.asked(server) == ["reserve", "settle r1-1", "reserve", "release r1-3"])
    #expect(client.stats.recorded == 1 && client.stats.owed == 0)
    #expect(await client.close() == 0)
  }

  @Test func whileNobodyAnswersThePolicyDecides() async throws {
    let closed = try Self.client(["127.0.0.1:1"])
    await #expect(throws: RouterError.self) { try await closed.filter([Deployment(id: "d")]) }
    await #expect(throws: RouterError.self) { try await closed.reserve(Self.request) }
    #expect(closed.stats.unavailable == 2)
    let open = try Self.client(["127.0.0.1:1"], .open)
    #expect(try await open.filter([Deployment(id: "d"), Deployment()]).allowed == [0, 1])
    #expect(try await open.reserve(Self.request).unavailable != nil)
    await #expect(throws: RouterError.self) { try await open.ping() }
    #expect(open.stats.unavailable == 2)
  }

  /// Its words may come before the client's loop has heard of the connection.
  @Test func aServerThatTurnsConnectionsAwaySaysWhy() async throws {
    let server = try FakeServer(connections: 1) { _ in .answer }
    let first = try Self.client([server.address])
    _ = try await first.ping()
    let words =
      "the connection to \(server.address) was lost before the answer came: UNAVAILABLE: "
      + "too many connections"
    for _ in 0..<20 {
      let second = try Self.client([server.address])
      await #expect(throws: RouterError.unavailable(reason: words)) { try await second.ping() }
    }
  }

  @Test func theOutboxHasABound() async throws {
    let client = try Self.client(["127.0.0.1:1"]) { $0.outboxRecords = 2 }
    for _ in 0..<2 { try client.record(RecordSpendRequest(costUSD: 1)) }
    #expect(throws: RouterError.outboxFull(count: 2)) {
      try client.record(RecordSpendRequest(costUSD: 1))
    }
    #expect(await client.flush(timeout: .milliseconds(1)) == 2)
    #expect(await client.close(timeout: .zero) == 2)
    #expect(throws: RouterError.closed) { try client.record(RecordSpendRequest(costUSD: 1)) }
    #expect(await client.close() == 0)
  }

  @Test func aRecordOfAProcessThatIsNoMoreStaysAtItsAddress() throws {
    let setup = try RouterSetup(["a:1", "b:1"], .open, RouterSettings())
    for (address, place, isBound) in [("b:1", 1, true), ("c:1", 0, false), ("", 0, false)] {
      let record = JournalFormat.Record(key: [1], address: address, body: [2])
      let owed = setup.adopted(record)
      #expect((owed.place, owed.isBound) == (place, isBound), "\(address)")
    }
  }

  @Test func aSettlementThatIsNoAmountLeavesTheHoldOpen() async throws {
    let server = try FakeServer { _ in .answer }
    let client = try Self.client([server.address])
    try await client.withReservation(Self.request) { hold in
      #expect(throws: RouterError.invalid("the cost nan is not an amount: 0 to 9000000000")) {
        try hold.settle(costUSD: .nan)
      }
      #expect(throws: RouterError.invalid("the cost -1 is not an amount: 0 to 9000000000")) {
        try hold.settle(costUSD: -1)
      }
      try hold.settle(costUSD: 0)
    }
    #expect(await client.flush() == 0)
    #expect(Self.asked(server) == ["reserve", "settle r1-1"])
  }

  @Test func aHoldWhoseCallerLeftIsGivenBack() async throws {
    let server = try FakeServer { $0.isReserve ? .hold : .answer }
    let client = try Self.client([server.address])
    let leaving = Task { try await client.reserve(Self.request) }
    while server.seen.isEmpty { await Task.yield() }
    leaving.cancel()
    server.release(server.seen)
    await #expect(throws: RouterError.cancelled) { try await leaving.value }
    #expect(await client.flush() == 0)
    #expect(Self.asked(server) == ["reserve", "release r1-1"])
  }

  @Test func aCancelledQuestionEndsAtOnce() async throws {
    let server = try FakeServer { _ in .hold }
    let client = try Self.client([server.address])
    let leaving = Task { try await client.ping() }
    while server.seen.isEmpty { await Task.yield() }
    leaving.cancel()
    await #expect(throws: RouterError.cancelled) { try await leaving.value }
  }

  @Test func recordsOfManyTasksAreAllTaken() async throws {
    let server = try FakeServer { _ in .answer }
    let client = try Self.client([server.address])
    await withTaskGroup { group in
      for _ in 0..<8 {
        group.addTask {
          for _ in 0..<50 {
            #expect(throws: Never.self) { try client.record(RecordSpendRequest(costUSD: 0.25)) }
          }
        }
      }
    }
    #expect(await client.flush() == 0)
    #expect(client.stats.recorded == 400 && server.seen.count == 400)
  }

  @Test func oneThatNobodyHoldsAnyLongerLeavesItsConnection() async throws {
    let server = try FakeServer { _ in .answer }
    var client: RouterClient? = try Self.client([server.address])
    _ = try await client?.ping()
    client = nil
    while server.closed == 0 { await Task.yield() }
  }

  @Test func keysAreUUIDsOfVersionSevenInTheOrderOfTheirTimes() {
    let keys = (0..<50).map { _ in RecordKey.new() }
    #expect(Set(keys).count == 50)
    for key in keys {
      #expect(
        key.wholeMatch(of: /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/)
          != nil, "\(key)")
    }
    #expect(keys.map { $0.prefix(13) } == keys.map { $0.prefix(13) }.sorted())
  }

  @Test func settingsThatCannotBeAreSaidAtTheStart() throws {
    var secure = RouterSettings()
    secure.security = BudgetClientSecurity()
    var nameless = secure
    nameless.security?.serverName = ""
    for (addresses, settings, words) in [
      ("", RouterSettings(), "no address is given: give host:port or unix:PATH"),
      ("h", RouterSettings(), "'h' is not an address: give host:port or unix:PATH"),
      ("h:0", RouterSettings(), "'h:0' is not an address: give host:port or unix:PATH"),
      ("h:1, unix:", RouterSettings(), "'unix:' is not an address: give host:port or unix:PATH"),
      ("unix:/s", secure, "unix:/s is not encrypted: leave tls_ca away, or give host:port"),
      (
        "h:1", nameless,
        "the server's name is empty: give the name in its certificate, or none for its host"
      ),
    ] {
      #expect(throws: RouterError.invalid(words)) {
        try RouterClient(addresses, onUnavailable: .open, settings: settings)
      }
    }
    #expect(throws: RouterError.self) { try OnUnavailable(nil) }
    #expect(try OnUnavailable("open") == .open)
  }
}
