import BudgetModel
import Testing

@testable import BudgetWire

/// Agreement with Debian's protoc on the public .proto.
@Suite struct ProtocTests {
  private static let requests: [(text: String, message: RequestMessage)] = [
    ("call_id: 2", RequestMessage(callID: 2, method: nil)),
    (
      """
      call_id: 302
      reserve_spend {
        provider: "openai" deployment_id: "d1" model: "openai/gpt-4o" tags: "team-a" tags: ""
        amount_usd: 0.5 ttl_ms: 60000 idempotency_key: "k" model_name: "gpt-4o"
      }
      """, WireSamples.reserve
    ),
    (
      """
      call_id: 303
      filter_deployments {
        deployments { id: "d1" free: true estimated_cost_usd: 0 } deployments { id: "d2" }
        tags: "team-a" estimated_cost_usd: 0.25 reserve: true reserve_usd: 0
        reserve_ttl_ms: 4294967295 idempotency_key: "0190163d"
      }
      """, WireSamples.fused
    ),
    (
      "call_id: 5 release_reservation { reservation_id: 'r1-a' }",
      RequestMessage(callID: 5, method: .releaseReservation(id: "r1-a"))
    ),
    (
      "call_id: 6 extend_reservation { reservation_id: 'r1-a' ttl_ms: 1000 }",
      RequestMessage(callID: 6, method: .extendReservation(id: "r1-a", ttlMilliseconds: 1_000))
    ),
    ("call_id: 1 ping {}", RequestMessage(callID: 1, method: .ping)),
    (
      "call_id: 4 filter_deployments { deployments {} }",
      RequestMessage(
        callID: 4,
        method: .filterDeployments(FilterDeploymentsRequest(deployments: [Deployment()])))
    ),
    (
      """
      call_id: 18446744073709551615 timeout_ms: 4294967295
      record_spend {
        provider: "openai" deployment_id: "d\\0001" model: "openai/gpt-4o"
        tags: "" tags: "a\\000b" tags: "a" tags: "\\303\\274" cost_usd: 0
        idempotency_key: "0190163d-8694-739b-aea5-966c26f8ad91" reservation_id: "r-1"
      }
      """, WireSamples.record
    ),
    (
      "call_id: 5 record_spend {}",
      RequestMessage(callID: 5, method: .recordSpend(RecordSpendRequest(costUSD: nil)))
    ),
    (
      "call_id: 6 record_spend { cost_usd: 4e-8 }",
      RequestMessage(callID: 6, method: .recordSpend(RecordSpendRequest(costUSD: 4e-8)))
    ),
    (
      """
      call_id: 300
      get_provider_budgets {
        providers: "openai" providers: "" providers: "azure" include_deployments: true
        include_tags: true page_size: 1000 page_token: "next" deployment_ids: "d1"
        deployment_ids: "d2" tags: "team-a" pattern: "user:*" nearest: 20
      }
      """, WireSamples.budgets
    ),
    (
      """
      call_id: 301
      get_spend_history {
        scope: SCOPE_POOL name: "fast" window: "month" page_size: 100 page_token: "1700000000000"
      }
      """, WireSamples.history
    ),
    (
      "call_id: 77 timeout_ms: 100 filter_deployments {"
        + (0..<8).map {
          "deployments { id: \"deployment-000\($0)\" model_name: \"gpt-4o\""
            + " model: \"openai/gpt-4o-\($0)\" provider: \"openai\" }"
        }.joined()
        + "tags: \"team-a\" tags: \"customer-12345\" model_name: \"gpt-4o\""
        + " estimated_cost_usd: 0.0125 }",
      WireSamples.filter
    ),
  ]

  @Test func requestsAreTheSameBytesAndReadTheSame() throws {
    for (text, message) in Self.requests {
      let bytes = try ProtocTool.encoded(text, as: "Request")
      #expect(try WireSamples.message(message) == bytes)
      #expect(try RequestMessage.decoded(bytes) == message)
    }
  }

  @Test func aBackupIsTheSameBytesBothWays() throws {
    let bytes = try ProtocTool.encoded(
      "call_id: 3 backup_ledger { path: '/tmp/x' }", as: "Request")
    let message = RequestMessage(callID: 3, method: .backupLedger(path: "/tmp/x"))
    #expect(try RequestMessage.decoded(bytes) == message)
    #expect(try WireSamples.message(message) == bytes)
    var frame: [UInt8] = []
    ResponseWriter().appendBackupLedger(
      bytes: 1 << 40, path: "/b/copy", callID: 3, to: &frame)
    var decoder = ResponseDecoder()
    let response = try decoder.response(frame: frame.span.extracting(FrameHeader.byteCount...))
    #expect(response.result == .backupLedger(BackupLedgerResponse(bytes: 1 << 40, path: "/b/copy")))
    let answer = try ProtocTool.encoded(
      "call_id: 3 backup_ledger { bytes: \(1 << 40 as UInt64) path: '/b/copy' }", as: "Response")
    #expect(Array(frame.dropFirst(FrameHeader.byteCount)) == answer)
  }

  @Test func anAuthenticationIsTheSameBytesBothWays() throws {
    let bytes = try ProtocTool.encoded(
      "call_id: 3 authenticate { token: 'bd_a\\000b' }", as: "Request")
    let message = RequestMessage(callID: 3, method: .authenticate(token: "bd_a\u{0}b"))
    #expect(try RequestMessage.decoded(bytes) == message)
    #expect(try WireSamples.message(message) == bytes)
    var frame: [UInt8] = []
    ResponseWriter().appendAuthenticate(role: "spend", callID: 3, to: &frame)
    var decoder = ResponseDecoder()
    let response = try decoder.response(frame: frame.span.extracting(FrameHeader.byteCount...))
    #expect(response.result == .authenticated(role: "spend"))
    let answer = try ProtocTool.encoded("call_id: 3 authenticate { role: 'spend' }", as: "Response")
    #expect(Array(frame.dropFirst(FrameHeader.byteCount)) == answer)
  }

  @Test func answersAboutReservationsAreTheSameBytesBothWays() throws {
    let writer = ResponseWriter()
    var held = FilterReply.ReservationReply()
    held.id = Array("r1-a".utf8)
    (held.expiresAtUnixMilliseconds, held.amountUSD) = (1_700_000_000_000, 0.25)
    var denied = FilterReply(reserving: writer.bounds)
    denied.statusCode = .resourceExhausted
    denied.statusMessage = Array("over".utf8)
    NameBytes.with("t") { name in
      var denial = FilterReply.Denial(
        position: 0, scope: .tag, name: name, spendUSD: 10, limitUSD: 10,
        resetsAtUnixMilliseconds: nil)
      denial.reservedUSD = 2.5
      denied.deny(denial)
    }
    denied.omitDenials(7)
    var chosen = FilterReply()
    chosen.choose(2, held)
    var nothingHeld = FilterReply()
    nothingHeld.choose(0, FilterReply.ReservationReply())
    let reservation = SpendReservation(
      id: "r1-a", expiresAtUnixMilliseconds: 1_700_000_000_000, amountUSD: 0.25)
    for (text, result, write) in [
      (
        "reserve_spend { reservation_id: 'r1-a' expires_at_unix_ms: 1700000000000"
          + " reserved_usd: 0.25 }",
        .reserveSpend(.held(reservation)), { writer.appendReserveSpend(held, callID: 3, to: &$0) }
      ),
      (
        "status { code: RESOURCE_EXHAUSTED message: 'over' } reserve_spend { denials { scope:"
          + " SCOPE_TAG name: 't' spend_usd: 10 limit_usd: 10 reserved_usd: 2.5 }"
          + " denials_omitted: 7 }",
        .reserveSpend(.denied(by: "t", omitting: 7)),
        { writer.appendReserveDenied(&denied, callID: 3, to: &$0) }
      ),
      (
        "filter_deployments { allowed: 2 chosen: 2 reservation_id: 'r1-a' expires_at_unix_ms:"
          + " 1700000000000 reserved_usd: 0.25 }",
        .filterDeployments(.choosing(2, reservation)),
        { writer.appendFilterDeployments(&chosen, callID: 3, to: &$0) }
      ),
      (
        "filter_deployments { allowed: 0 chosen: 0 }", .filterDeployments(.choosing(0, nil)),
        { writer.appendFilterDeployments(&nothingHeld, callID: 3, to: &$0) }
      ),
      (
        "release_reservation { released: true }", .released(true),
        { writer.appendReleased(true, callID: 3, to: &$0) }
      ),
      (
        "extend_reservation { expires_at_unix_ms: 1700000000000 }",
        .extended(untilUnixMilliseconds: 1_700_000_000_000),
        { writer.appendExtended(until: 1_700_000_000_000, callID: 3, to: &$0) }
      ),
    ] as [(String, ResponseMessage.Result, (inout [UInt8]) -> Void)] {
      var frame: [UInt8] = []
      write(&frame)
      let response = try WireSamples.response(frame)
      #expect(response.result == result)
      let answer = try ProtocTool.encoded("call_id: 3 " + text, as: "Response")
      #expect(Array(frame.dropFirst(FrameHeader.byteCount)) == answer)
    }
  }

  @Test func responsesReadTheSameWithProtoc() throws {
    let writer = ResponseWriter()
    var reply = FilterReply()
    reply.statusCode = .resourceExhausted
    reply.statusMessage = Array("over".utf8)
    for position: UInt32 in [0, 1, 300] { reply.allow(position) }
    NameBytes.with("a\u{0}b") { name in
      reply.deny(
        FilterReply.Denial(
          position: 2, scope: .tag, name: name, spendUSD: 10.5, limitUSD: 0,
          resetsAtUnixMilliseconds: 0))
    }
    var bytes: [UInt8] = []
    writer.appendFilterDeployments(&reply, callID: 9, to: &bytes)
    #expect(
      try ProtocTool.decoded(Array(bytes.dropFirst(4)), as: "Response") == """
        call_id: 9
        status {
          code: RESOURCE_EXHAUSTED
          message: "over"
        }
        filter_deployments {
          allowed: 0
          allowed: 1
          allowed: 300
          denials {
            deployment: 2
            scope: SCOPE_TAG
            name: "a\\000b"
            spend_usd: 10.5
            resets_at_unix_ms: 0
          }
        }

        """)
    bytes = []
    writer.appendProviderBudgets(WireResponses.budgets, callID: 1, to: &bytes)
    #expect(try reencoded(bytes) == Array(bytes.dropFirst(4)))
    bytes = []
    writer.appendSpendHistory(WireResponses.history, callID: 1, to: &bytes)
    #expect(try reencoded(bytes) == Array(bytes.dropFirst(4)))
    bytes = []
    writer.appendPing(WireResponses.ping, callID: 1, to: &bytes)
    #expect(try reencoded(bytes) == Array(bytes.dropFirst(4)))
    bytes = []
    let recorded = RecordSpendResponse(isDuplicate: true, budgetsCharged: 3)
    writer.appendRecordSpend(recorded, callID: 1, to: &bytes)
    #expect(try reencoded(bytes) == Array(bytes.dropFirst(4)))
    bytes = []
    writer.appendStatus(RPCStatus(.unavailable, "not now"), callID: 0, to: &bytes)
    #expect(try reencoded(bytes) == Array(bytes.dropFirst(4)))
  }

  /// The bytes of a frame as protoc reads and writes them again.
  private func reencoded(_ frame: [UInt8]) throws -> [UInt8] {
    let text = try ProtocTool.decoded(Array(frame.dropFirst(4)), as: "Response")
    return try ProtocTool.encoded(text, as: "Response")
  }

  @Test func generatedCIsWhatTheProtoSays() throws {
    let outcome = try ProtocTool.run(["proto/generate.sh", "--check"])
    #expect(outcome.status == 0)
    #expect(String(decoding: outcome.output, as: UTF8.self) == "")
    #expect(outcome.errors == "")
  }
}

extension ReserveSpendResponse {
  fileprivate static func held(_ reservation: SpendReservation) -> Self {
    var response = ReserveSpendResponse()
    response.reservation = reservation
    return response
  }

  fileprivate static func denied(by tag: String, omitting count: Int) -> Self {
    var response = ReserveSpendResponse()
    (response.isExhausted, response.message) = (true, "over")
    response.denials = [
      Denial(
        position: 0, scope: .tag, name: tag, spendUSD: 10, limitUSD: 10, reservedUSD: 2.5)
    ]
    response.denialsOmitted = count
    return response
  }
}

extension FilterDeploymentsResponse {
  fileprivate static func choosing(_ position: Int, _ reservation: SpendReservation?) -> Self {
    var response = FilterDeploymentsResponse()
    response.allowed = [position]
    (response.chosen, response.reservation) = (position, reservation)
    return response
  }
}
