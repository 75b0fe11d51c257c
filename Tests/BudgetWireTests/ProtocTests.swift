import BudgetModel
import Testing

@testable import BudgetWire

/// Agreement with Debian's protoc on the public .proto.
@Suite struct ProtocTests {
  private static let requests: [(text: String, message: RequestMessage)] = [
    ("call_id: 2", RequestMessage(callID: 2, method: nil)),
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

  @Test func methodsThatComeLaterPassTheWalk() throws {
    for text in [
      "reserve_spend { provider: 'p' deployment_id: 'd' model: 'm' tags: 't' tags: 'u'"
        + " amount_usd: 1.5 ttl_ms: 60000 idempotency_key: 'k' }",
      "release_reservation { reservation_id: 'r' }",
    ] {
      let bytes = try ProtocTool.encoded("call_id: 3 " + text, as: "Request")
      #expect(try RequestMessage.decoded(bytes) == RequestMessage(callID: 3, method: nil))
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
