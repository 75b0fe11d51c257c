import Foundation
import Testing

@testable import BudgetClient
@testable import BudgetWire

/// A client that says who it is.
@Suite(.timeLimit(.minutes(1))) struct IntroductionTests {
  private func client(
    _ server: FakeServer, _ token: BudgetClientToken, timeout: Duration = .seconds(30)
  ) throws -> BudgetClient {
    var settings = BudgetClientSettings()
    settings.timeout = timeout
    settings.shortestBackoff = .milliseconds(1)
    settings.longestBackoff = .milliseconds(5)
    settings.token = token
    return try BudgetClient(server: server.address, settings: settings)
  }

  private func error(_ client: BudgetClient) async -> BudgetClientError? {
    do throws(BudgetClientError) {
      _ = try await client.recordSpend(RecordSpendRequest(costUSD: 1))
      return nil
    } catch {
      return error
    }
  }

  @Test func theTokenIsTheFirstThingOnEachConnection() async throws {
    let server = try FakeServer { $0.connection == 1 && $0.token == nil ? .drop : .answer }
    let client = try client(server, .text("bd_secret"))
    // Lost on the first connection, and sent again on the next.
    #expect(try await client.ping().isReady)
    #expect(server.seen.map(\.connection) == [1, 1, 2, 2])
    #expect(server.seen.map(\.token) == ["bd_secret", nil, "bd_secret", nil])
    #expect(server.seen.map(\.callID) == [1, 1, 1, 1])
  }

  @Test func aTokenThatIsRefusedAppliesNothing() async throws {
    let refusal = RPCStatus(.unauthenticated, "no")
    let server = try FakeServer { $0.token == nil ? .answer : .refuse(refusal) }
    let error = await error(try client(server, .text("bd_wrong")))
    #expect(error == .notApplied(.refused(refusal)))
    #expect(server.seen.allSatisfy { $0.token == "bd_wrong" })
  }

  @Test func aServerThatKnowsNoTokensIsAsked() async throws {
    let server = try FakeServer {
      $0.token == nil ? .answer : .refuse(RPCStatus(.unimplemented, "not part of this build"))
    }
    #expect(await error(try client(server, .text("bd_secret"))) == nil)
  }

  @Test func aServerThatIsSilentIsNotWaitedFor() async throws {
    let server = try FakeServer { _ in .hold }
    let error = await error(try client(server, .text("x"), timeout: .milliseconds(200)))
    #expect(error?.outcome == .notApplied)
  }

  @Test(arguments: [1, 2]) func aConnectionThatEndsThenIsUnreachable(kind: Int) async throws {
    let server = try FakeServer { _ in kind == 1 ? .drop : .garbage }
    let error = await error(try client(server, .text("x")))
    #expect(error?.outcome == .notApplied)
  }

  @Test func aFileIsReadForEachConnection() async throws {
    let path = FileManager.default.temporaryDirectory.appending(path: "token-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: path) }
    func write(_ token: String, mode: Int = 0o600) throws {
      try Data("\(token)\n".utf8).write(to: path)
      try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path.path)
    }
    let server = try FakeServer { $0.isRecord ? .drop : .answer }
    let client = try client(server, .file(path.path))
    try write("bd_old")
    #expect(await error(client)?.outcome == .unknown)
    try write("bd_new")
    #expect(try await client.ping().isReady)
    #expect(server.seen.compactMap(\.token) == ["bd_old", "bd_new"])
    try write("bd_new", mode: 0o644)
    let other = try self.client(server, .file(path.path))
    guard case .notApplied(.unusableToken(let why)) = await error(other) else {
      Issue.record("a file for everybody was taken")
      return
    }
    #expect(why.contains("chmod 600"))
  }

  @Test func aTokenDoesNotShow() {
    for token in [BudgetClientToken.text("bd_secret"), .file("/f")] {
      #expect(!"\(token) \(String(reflecting: token))".contains("bd_secret"))
    }
    var settings = BudgetClientSettings()
    settings.token = .text("bd_secret")
    #expect(!"\(settings)".contains("bd_secret"))
  }

  @Test func onlyAWelcomeIsAWelcome() {
    func refusal(_ change: (inout ResponseMessage) -> Void) -> BudgetClientError? {
      var response = ResponseMessage(
        callID: 1, status: nil, result: .authenticated(role: "read"))
      change(&response)
      return Introduction.refusal(in: response)
    }
    #expect(refusal { _ in } == nil)
    #expect(refusal { $0.callID = 2 } != nil)
    #expect(refusal { $0.result = .ping(PingResponse()) } != nil)
    #expect(refusal { $0.result = nil } != nil)
    #expect(refusal { $0.status = RPCStatus(.unavailable, "busy") } != nil)
  }
}
