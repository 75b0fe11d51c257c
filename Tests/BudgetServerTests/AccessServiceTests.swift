import BudgetModel
import BudgetPages
import BudgetWire
import HTTPPort
import Logging
import Sockets
import Synchronization
import Testing

@testable import Access
@testable import BudgetServer
@testable import TCPTransport

/// Who may call what, and who is told what.
@Suite struct AccessServiceTests {
  private static func digest(_ token: String) -> String { TokenDigest(of: Array(token.utf8)).text }

  /// A client for each role, whose token is `bd_` and the role, and user 1000 and the role's number.
  private static func table(_ roles: [Role] = Role.allCases) throws -> AccessTable {
    let clients = roles.map { role in
      """
        - name: client-\(role)
          role: \(role)
          tokens: ["\(digest("bd_\(role)"))"]
          users: [\(1000 + Int(role.rawValue))]
      """
    }
    return try AccessFile.table(
      yaml: Array(("clients:\n" + clients.joined(separator: "\n")).utf8), file: "access.yaml")
  }

  /// A frame that asks for `method` with an empty message, as a client that does not care would.
  private static func frame(_ method: UInt8) -> [UInt8] {
    let number = method < 16 ? [method << 3 | 2] : [(method & 15) << 3 | 0x82, method >> 4]
    return [8, 7] + number + [0]
  }

  private func code(_ fixture: ServiceFixture, _ method: UInt8) throws -> StatusCode? {
    var output: [UInt8] = []
    let body = Self.frame(method)
    _ = fixture.service.handle(
      unsafe body.span.bytes, from: fixture.connection, receivedAt: .now(), output: &output)
    fixture.service.turnEnded()
    return output.isEmpty ? nil : try ServiceFixture.message(in: output).status?.code
  }

  /// The rule as the contract has it, by the service's names: a method that is not here fails.
  private static let rules: [String: Role?] = [
    "FilterDeployments": .check, "GetProviderBudgets": .read, "GetSpendHistory": .read,
    "ExplainRequest": .read, "RecordSpend": .spend, "ReserveSpend": .spend,
    "ReleaseReservation": .spend, "ExtendReservation": .spend, "BackupLedger": .admin,
    "Authenticate": nil, "Ping": nil,
    "SetBudget": .admin, "ClearBudget": .admin, "ResetBudget": .admin, "ReloadConfig": .admin,
    "ListChanges": .read,
  ]

  @Test(arguments: MethodName.allCases)
  func eachMethodNeedsItsRole(method: MethodName) throws {
    let least = try #require(Self.rules[method.serviceName], "\(method) has no rule in this test")
    #expect(method.leastRole == least)
    let table = try Self.table()
    for role in [nil] + Role.allCases.map(Optional.some) {
      let user = role.map {
        Peer.User(userID: 1000 + UInt32($0.rawValue), groupID: 1, processID: 9)
      }
      let fixture = ServiceFixture(access: table, peer: Peer(address: "10.1.2.3", user: user))
      #expect(fixture.standing == (role == nil ? .unknown : .known))
      let code = try code(fixture, method.rawValue)
      let comment: Comment = "\(method) as \(role?.description ?? "nobody"): \(code as Any)"
      switch (least, role) {
      case (nil, _):
        #expect(code != .permissionDenied && code != .unauthenticated, comment)
      case (.some, nil): #expect(code == .unauthenticated, comment)
      case (let least?, let role?):
        #expect((code == .permissionDenied) == (role < least), comment)
        #expect(code != .unauthenticated, comment)
      }
    }
  }

  @Test func aStrangerIsNotToldWhichMethodsThereAre() throws {
    let fixture = ServiceFixture(access: try Self.table())
    for method: UInt8 in [9, 15, 17, 19, 26] {
      #expect(try code(fixture, method) == .unauthenticated)
    }
    #expect(fixture.context.access.count(.unauthenticated) == 5)
    let known = ServiceFixture(
      access: try Self.table(),
      peer: Peer(user: Peer.User(userID: 1001, groupID: 1, processID: 9)))
    #expect(try code(known, 9) == .unimplemented)
  }

  @Test func aStrangerHearsReadyAlone() throws {
    let fixture = ServiceFixture(access: try Self.table())
    var expected = PingResponse()
    expected.isReady = true
    #expect(try fixture.call(.ping).pinged == expected)
    fixture.recorder.becomeUnready("the disk is full")
    #expect(try fixture.call(.ping).pinged == PingResponse())
  }

  @Test func aTokenSaysWhoItIs() throws {
    let fixture = ServiceFixture(access: try Self.table())
    let (outcome, reply) = try fixture.outcome(.authenticate(token: "bd_read"))
    #expect(outcome == .introduced)
    #expect(reply?.status == nil)
    #expect(reply?.result == .authenticated(role: "read"))
    #expect(try fixture.call(.ping).pinged.role == "read")
    #expect(try fixture.call(.ping).pinged.version == "1.2.3")
    #expect(try fixture.call(.getProviderBudgets(GetProviderBudgetsRequest())).status == nil)
    let denied = try fixture.call(.recordSpend(RecordSpendRequest(costUSD: 1)))
    #expect(denied.status?.code == .permissionDenied)
    #expect(denied.status?.message == "this client's role is read: RecordSpend needs spend")
    #expect(fixture.context.access.count(.permission) == 1)
  }

  @Test func aTokenMayChangeToAnotherClient() throws {
    let fixture = ServiceFixture(
      access: try Self.table(),
      peer: Peer(user: Peer.User(userID: 1001, groupID: 1, processID: 9)))
    #expect(try fixture.call(.ping).pinged.role == "check")
    _ = try fixture.outcome(.authenticate(token: "bd_admin"))
    #expect(try fixture.call(.ping).pinged.role == "admin")
  }

  @Test func aWrongTokenIsTheLastWord() throws {
    let fixture = ServiceFixture(
      access: try Self.table(),
      peer: Peer(user: Peer.User(userID: 1004, groupID: 1, processID: 9)))
    let (outcome, reply) = try fixture.outcome(.authenticate(token: "bd_adminx"))
    #expect(outcome == .close)
    #expect(reply?.status?.code == .unauthenticated)
    #expect(reply?.result == nil)
    #expect(try code(fixture, MethodName.backupLedger.rawValue) == .unauthenticated)
    #expect(fixture.context.access.count(.wrongToken) == 1)
    let totals = fixture.requests.totals
    let position = MethodName.authenticate.position
    #expect(totals.answers[position][Int(StatusCode.unauthenticated.rawValue)] == 1)
  }

  /// Its refusal waits, and nothing else of the connection is handled meanwhile.
  @Test func manyWrongTokensWait() throws {
    let fixture = ServiceFixture(access: try Self.table())
    fixture.context.access.connect(to: ReplyMailbox(inboxes: [try LaneInbox()]))
    for _ in 0..<WrongTokens.freeTokens {
      #expect(try fixture.outcome(.authenticate(token: "x")).outcome == .close)
    }
    let (outcome, reply) = try fixture.outcome(.authenticate(token: "x"))
    #expect(outcome == .closeAfterReply)
    #expect(reply == nil)
    // Not those who are right.
    let right = try fixture.outcome(.authenticate(token: "bd_spend"), callID: 8)
    #expect(right.outcome == .introduced)
    let count = WrongTokens.freeTokens + 1
    #expect(fixture.context.access.count(.wrongToken) == count)
    let answers = fixture.requests.totals.answers[MethodName.authenticate.position]
    #expect(answers[Int(StatusCode.unauthenticated.rawValue)] == count)
  }

  @Test(arguments: ["", String(repeating: "x", count: 257)])
  func aTokenHasItsBounds(token: String) throws {
    let fixture = ServiceFixture(access: try Self.table())
    let (outcome, reply) = try fixture.outcome(.authenticate(token: token))
    #expect(outcome == .answered)
    #expect(reply?.status?.code == .invalidArgument)
    #expect(try code(fixture, MethodName.recordSpend.rawValue) == .unauthenticated)
    #expect(try fixture.outcome(.authenticate(token: "bd_spend")).outcome == .introduced)
  }

  @Test func withoutAFileEverybodyIsAdmin() throws {
    let fixture = ServiceFixture([])
    #expect(fixture.standing == .known)
    #expect(try fixture.call(.ping).pinged.role == "admin")
    for token in ["x", String(repeating: "x", count: 256)] {
      let (outcome, reply) = try fixture.outcome(.authenticate(token: token))
      #expect(outcome == .introduced)
      #expect(reply?.result == .authenticated(role: "admin"))
    }
  }

  @Test func theNextConnectionOfASlotIsAStranger() throws {
    let fixture = ServiceFixture(access: try Self.table())
    _ = try fixture.outcome(.authenticate(token: "bd_admin"))
    fixture.service.connectionClosed(fixture.connection, requestsUnderWay: 0, midFrame: false)
    #expect(try code(fixture, MethodName.recordSpend.rawValue) == .unauthenticated)
    let next = ConnectionID(lane: LaneIndex(0), slot: 0, generation: 2)
    #expect(fixture.service.connectionOpened(next, peer: Peer(address: "10.9.9.9")) == .unknown)
    #expect(try code(fixture, MethodName.recordSpend.rawValue) == .unauthenticated)
  }

  @Test func anotherFileHoldsAtOnce() throws {
    let fixture = ServiceFixture(access: try Self.table())
    _ = try fixture.outcome(.authenticate(token: "bd_spend"))
    #expect(fixture.service.review(fixture.connection) == .known)
    let changed = """
      clients:
        - {name: other, role: check, tokens: ["\(Self.digest("bd_spend"))"]}
      """
    fixture.context.access.replace(
      try AccessFile.table(yaml: Array(changed.utf8), file: "access.yaml"))
    #expect(fixture.service.review(fixture.connection) == .known)
    #expect(try fixture.call(.ping).pinged.role == "check")
    #expect(try code(fixture, MethodName.recordSpend.rawValue) == .permissionDenied)
    fixture.context.access.replace(try Self.table([.check]))
    #expect(fixture.service.review(fixture.connection) == .unknown)
    #expect(try code(fixture, MethodName.filterDeployments.rawValue) == .unauthenticated)
  }

  @Test func aBackupIsWrittenDown() throws {
    let fixture = ServiceFixture(
      access: try Self.table(),
      peer: Peer(user: Peer.User(userID: 1004, groupID: 1, processID: 9)))
    try fixture.callDeferred(.backupLedger(path: "copy"), callID: 3)
    #expect(fixture.context.audit.count(.backup) == 1)
    #expect(fixture.context.audit.count(.reload) == 0)
    var entry = LanePeers.Entry(peer: Peer(address: "10.1.2.3"), identity: nil)
    #expect(entry.words == "nobody at 10.1.2.3")
    entry.identity = Identity(
      principal: Principal(name: "ops", role: .admin), credential: .user(7))
    entry.peer = Peer(user: Peer.User(userID: 7, groupID: 1, processID: 9))
    #expect(entry.words == "ops at uid 7")
  }

  @Test func aClientIsItsNameOrWithoutAnAccessFileItsAddress() throws {
    let peer = Peer(address: "10.1.2.3")
    let open = ServiceFixture(access: .open, peer: peer)
    #expect(open.service.client(of: open.connection) == "at 10.1.2.3")
    let fixture = ServiceFixture(access: try Self.table(), peer: peer)
    #expect(fixture.service.client(of: fixture.connection) == "unnamed 1")
    _ = try fixture.outcome(.authenticate(token: "bd_spend"))
    #expect(fixture.service.client(of: fixture.connection) == "named client-spend")
    #expect(fixture.service.turnCost() == 0)
    for index in UInt64(0)..<3 {
      _ = try fixture.outcome(.recordSpend(RecordSpendRequest(costUSD: 1)), callID: 20 + index)
      _ = try fixture.outcome(.ping, callID: 30 + index)
    }
    #expect(fixture.service.turnCost() == 3)
    #expect(fixture.service.turnCost() == 0)
  }

  @Test func pagesTakeACertificateToo() throws {
    let text = """
      clients:
        - {name: a, role: read, certificates: ["cn:a"]}
        - {name: b, role: check, certificates: ["cn:b"], tokens: ["\(Self.digest("bd_b"))"]}
      """
    let desk = AccessDesk(
      try AccessFile.table(yaml: Array(text.utf8), file: "f"), log: Logger(label: "test"))
    func verdict(_ names: [String], _ credential: HTTPCredential? = nil) -> PageVerdict {
      var request = HTTPRequest(path: "/")
      (request.certificateNames, request.credential) = (names, credential)
      return desk.verdict(on: request)
    }
    #expect(verdict(["cn:a"]) == .allowed)
    #expect(verdict(["cn:x"]) == .unknown(after: .zero))
    guard case .denied = verdict(["cn:b"]) else {
      Issue.record("a checker sees pages")
      return
    }
    // A token counts before the certificate.
    guard case .denied = verdict(["cn:a"], .bearer(token: "bd_b")) else {
      Issue.record("a token was passed over")
      return
    }
  }

  @Test func pagesNeedRead() throws {
    let desk = AccessDesk(try Self.table(), log: Logger(label: "test"))
    func verdict(_ credential: HTTPCredential?) -> String {
      var request = HTTPRequest(path: "/metrics")
      request.credential = credential
      return "\(desk.verdict(on: request, at: MonotonicInstant(nanoseconds: 0)))"
    }
    #expect(verdict(nil) == "unknown(after: 0.0 seconds)")
    #expect(verdict(.unknown) == "unknown(after: 0.0 seconds)")
    #expect(verdict(.bearer(token: "bd_x")) == "unknown(after: 0.0 seconds)")
    #expect(verdict(.bearer(token: "bd_check")).hasPrefix("denied("))
    for role in ["read", "spend", "admin"] {
      #expect(verdict(.bearer(token: "bd_\(role)")) == "allowed")
      #expect(verdict(.basic(name: "client-\(role)", password: "bd_\(role)")) == "allowed")
      #expect(verdict(.basic(name: "other", password: "bd_\(role)")).hasPrefix("unknown"))
    }
    #expect(desk.count(.unauthenticated) == 1)
    #expect(desk.count(.permission) == 1)
    #expect(desk.count(.wrongToken) == 5)
  }

  /// A token adds to the answer on pages that are everybody's: they must not be where tokens are tried.
  @Test func tokensAreTriedNoFasterOnWhatIsEverybodys() throws {
    let desk = AccessDesk(try Self.table(), log: Logger(label: "test"))
    func seesMore(_ token: String?, from peer: String = "10.1.2.3", at time: Int64) -> Bool {
      var request = HTTPRequest(path: "/readyz")
      request.credential = token.map { .bearer(token: $0) }
      request.peer = peer
      return desk.seesMore(request, at: MonotonicInstant(nanoseconds: time * 1_000_000))
    }
    #expect(!seesMore(nil, at: 0) && !seesMore("bd_check", at: 0))
    for _ in 0..<WrongTokens.freeTokens { #expect(!seesMore("bd_x", at: 0)) }
    #expect(seesMore("bd_read", at: 0))
    #expect(!seesMore("bd_x", at: 0))
    #expect(desk.count(.wrongToken) == WrongTokens.freeTokens + 1)
    // It is not looked at, right or wrong, for as long as its refusal would wait.
    for token in ["bd_x", "bd_read"] { #expect(!seesMore(token, at: 49)) }
    #expect(desk.count(.wrongToken) == WrongTokens.freeTokens + 1)
    #expect(seesMore("bd_read", from: "10.1.2.4", at: 49))
    #expect(seesMore("bd_read", at: 50))
    // A page that is not everybody's answers a right token at once.
    #expect(!seesMore("bd_x", at: 60))
    var request = HTTPRequest(path: "/")
    (request.credential, request.peer) = (.bearer(token: "bd_read"), "10.1.2.3")
    #expect(desk.verdict(on: request, at: MonotonicInstant(nanoseconds: 61_000_000)) == .allowed)
    #expect(desk.count(.unauthenticated) == 0)
  }
}

@Suite struct WrongTokensTests {
  private func at(_ seconds: Double) -> MonotonicInstant {
    MonotonicInstant(nanoseconds: Int64(seconds * 1e9))
  }

  @Test func refusalsWaitLongerEachTime() {
    var tokens = WrongTokens()
    let delays = (0..<13).map { _ in tokens.note("10.1.2.3", at: at(0)).delay }
    #expect(
      delays
        == [0, 0, 0, 0, 0, 50, 100, 200, 400, 800, 1600, 2000, 2000].map { .milliseconds($0) })
    #expect(tokens.note("10.1.2.4", at: at(0)).delay == .zero)
    for _ in 0..<100_000 { _ = tokens.note("10.1.2.3", at: at(1)) }
    #expect(tokens.note("10.1.2.3", at: at(2)).delay == WrongTokens.longestDelay)
    #expect(tokens.note("10.1.2.3", at: at(602)).delay == .zero)
  }

  @Test func theLogIsBounded() {
    var tokens = WrongTokens()
    var lines: [Int] = []
    for index in 0..<100_000 {
      if let count = tokens.note("10.1.2.3", at: at(Double(index) / 1_000)).count {
        lines.append(count)
      }
    }
    #expect(lines == [1, 1_000, 10_000, 100_000] || lines == [1, 10_000, 100_000], "\(lines)")
    // Ten thousand addresses within a second.
    let told = (0..<10_000).count { tokens.note("a\($0)", at: at(200)).count != nil }
    #expect(told == 1)
  }

  @Test func theAddressesAreBounded() {
    var tokens = WrongTokens()
    for index in 0..<3_000 { _ = tokens.note("a\(index)", at: at(Double(index))) }
    #expect(tokens.addressCount == WrongTokens.maximumAddresses)
    // The quietest was forgotten, the others not.
    for _ in 0..<WrongTokens.freeTokens { _ = tokens.note("a2999", at: at(3_000)) }
    #expect(tokens.note("a2999", at: at(3_000)).delay > .zero)
  }
}

@Suite struct StrangersTests {
  private func connection(_ slot: Int) -> ConnectionID {
    ConnectionID(lane: LaneIndex(0), slot: slot, generation: 1)
  }

  @Test func whoHasTheMostMakesRoom() {
    var strangers = Strangers(bound: 4)
    #expect(strangers.arrive(connection(0), from: "good") == nil)
    #expect(strangers.arrive(connection(1), from: "bad") == nil)
    #expect(strangers.arrive(connection(2), from: "bad") == nil)
    #expect(strangers.arrive(connection(3), from: "other") == nil)
    #expect(strangers.arrive(connection(4), from: "bad") == connection(1))
    #expect(strangers.arrive(connection(5), from: "new") == connection(2))
    #expect(strangers.count == 4)
    // One each: the one that was there first.
    #expect(strangers.arrive(connection(6), from: "newer") == connection(0))
  }

  @Test func whoSaysWhoItIsNeedsNoRoom() {
    var strangers = Strangers(bound: 1)
    #expect(strangers.arrive(connection(0), from: "a") == nil)
    strangers.leave(connection(0))
    strangers.leave(connection(9))
    #expect(strangers.arrive(connection(1), from: "a") == nil)
    #expect(strangers.count == 1)
  }
}
