import BudgetModel
import Testing

@testable import BudgetWire

@Suite struct ResponseWriterTests {
  private let writer = ResponseWriter()

  @Test func statusesReadBack() throws {
    for code in StatusCode.allCases {
      var bytes: [UInt8] = []
      writer.appendStatus(RPCStatus(code, "why"), callID: 7, to: &bytes)
      let response = try WireSamples.response(bytes)
      #expect(response.callID == 7)
      #expect(response.status == (code == .ok ? nil : RPCStatus(code, "why")))
      #expect(response.result == nil)
    }
  }

  @Test func refusalsNameTheirCall() throws {
    var bytes: [UInt8] = []
    let refusal = WireRefusal(callID: 12, fault: .group(offset: 3))
    writer.appendStatus(refusal.status, callID: refusal.callID, to: &bytes)
    let status = RPCStatus(.invalidArgument, "a group at byte 3: proto3 has none")
    #expect(try WireSamples.response(bytes).status == status)
    #expect(try WireSamples.response(bytes).callID == 12)
  }

  @Test func aStatusMessageIsCutBetweenCharacters() throws {
    for (text, kept) in [
      (String(repeating: "x", count: 8192), 8192), (String(repeating: "x", count: 8193), 8192),
      ("x" + String(repeating: "ü", count: 4096), 8191),
      (String(repeating: "€", count: 3000), 8190), (String(repeating: "😀", count: 3000), 8192),
    ] {
      var bytes: [UInt8] = []
      writer.appendStatus(RPCStatus(.internal, text), callID: 1, to: &bytes)
      let message = try #require(try WireSamples.response(bytes).status?.message)
      #expect(message.utf8.count == kept)
      #expect(text.hasPrefix(message))
      #expect(!message.unicodeScalars.contains("\u{FFFD}"))
    }
  }

  @Test func filterRepliesReadBack() throws {
    var reply = FilterReply()
    for round in 0..<3 {
      reply.reset()
      var expected = FilterDeploymentsResponse()
      for position: UInt32 in [0, 3, 127, 128, 1023] {
        reply.allow(position)
        expected.allowed.append(Int(position))
      }
      for (scope, resetsAt) in [(BudgetScope.provider, Int64?.none), (.deployment, 0), (.tag, -1)] {
        let name = "n\u{0}\(round)" + String(repeating: "y", count: round * 100)
        NameBytes.with(name) { name in
          reply.deny(
            FilterReply.Denial(
              position: 4, scope: scope, name: name, spendUSD: 10.5, limitUSD: 0,
              resetsAtUnixMilliseconds: resetsAt, withheldUSD: Double(round)))
        }
        expected.denials.append(
          Denial(
            position: 4, scope: scope, name: name, spendUSD: 10.5, limitUSD: 0,
            resetsAtUnixMilliseconds: resetsAt, withheldUSD: Double(round)))
      }
      let candidate = Deployment(id: "d", modelName: "m", model: "o/m", provider: "")
      NameBytes.with("d") { id in
        NameBytes.with("m") { modelName in
          NameBytes.with("o/m") { model in
            reply.addCandidate(
              FilterReply.Candidate(
                id: id, modelName: modelName, model: model, provider: .absent))
          }
        }
      }
      expected.candidates = [candidate]
      if round == 2 {
        reply.statusCode = .resourceExhausted
        reply.statusMessage.append(contentsOf: "No deployments available".utf8)
        expected.isExhausted = true
        expected.message = "No deployments available"
      }
      var bytes: [UInt8] = []
      #expect(writer.appendFilterDeployments(&reply, callID: 300, to: &bytes))
      let response = try WireSamples.response(bytes)
      #expect(response.callID == 300)
      #expect(
        response.status
          == (round == 2 ? RPCStatus(.resourceExhausted, "No deployments available") : nil))
      #expect(response.result == .filterDeployments(expected))
    }
  }

  @Test func denialsPastTheBoundAreCounted() throws {
    var reply = FilterReply()
    let name = String(repeating: "n", count: 256)
    NameBytes.with(name) { name in
      for position: UInt32 in 0..<3000 {
        reply.deny(
          FilterReply.Denial(
            position: position, scope: .tag, name: name, spendUSD: 1, limitUSD: 1,
            resetsAtUnixMilliseconds: .max))
      }
    }
    var bytes: [UInt8] = []
    #expect(writer.appendFilterDeployments(&reply, callID: 1, to: &bytes))
    guard case .filterDeployments(let result) = try WireSamples.response(bytes).result else {
      Issue.record("no result")
      return
    }
    #expect(result.denials.count == 1024)
    #expect(result.denialsOmitted == 1976)
    #expect(result.denials.last?.position == 1023)
  }

  @Test func noResponseIsLongerThanTheBound() throws {
    var reply = FilterReply()
    let name = String(repeating: "n", count: 256)
    NameBytes.with(name) { name in
      let candidate = FilterReply.Candidate(
        id: name, modelName: name, model: name, provider: name)
      for _ in 0..<1024 { reply.addCandidate(candidate) }
    }
    var bytes: [UInt8] = [42]
    #expect(!writer.appendFilterDeployments(&reply, callID: 5, to: &bytes))
    #expect(bytes.removeFirst() == 42)
    let response = try WireSamples.response(bytes)
    #expect(response.callID == 5)
    #expect(response.status?.code == .failedPrecondition)
    #expect(
      response.status?.message == "the response would have 1063942 bytes, at most 1048576:"
        + " ask for less at a time")
    #expect(response.result == nil)

    // The longest that fits, and one byte more.
    var result = GetProviderBudgetsResponse()
    result.nextPageToken = String(repeating: "t", count: 1_048_576 - 10)
    bytes = []
    #expect(writer.appendProviderBudgets(result, callID: 5, to: &bytes))
    #expect(bytes.count == 1_048_576 + 4)
    result.nextPageToken += "t"
    bytes = []
    #expect(!writer.appendProviderBudgets(result, callID: 5, to: &bytes))
    #expect(bytes.count < 200)
  }

  @Test func theOtherResultsReadBack() throws {
    var bytes: [UInt8] = []
    for result in [
      RecordSpendResponse(isDuplicate: false, budgetsCharged: 0),
      RecordSpendResponse(isDuplicate: true, budgetsCharged: 258),
    ] {
      bytes = []
      writer.appendRecordSpend(result, callID: 1, to: &bytes)
      #expect(try WireSamples.response(bytes).result == .recordSpend(result))
    }
    bytes = []
    writer.appendProviderBudgets(WireResponses.budgets, callID: 1, to: &bytes)
    #expect(try WireSamples.response(bytes).result == .providerBudgets(WireResponses.budgets))
    bytes = []
    writer.appendPing(WireResponses.ping, callID: 1, to: &bytes)
    #expect(try WireSamples.response(bytes).result == .ping(WireResponses.ping))
    bytes = []
    writer.appendSpendHistory(WireResponses.history, callID: 1, to: &bytes)
    #expect(try WireSamples.response(bytes).result == .spendHistory(WireResponses.history))
    bytes = []
    writer.appendProviderBudgets(GetProviderBudgetsResponse(), callID: 1, to: &bytes)
    writer.appendPing(PingResponse(), callID: 2, to: &bytes)
    #expect(bytes == [0, 0, 0, 4, 8, 1, 0x62, 0, 0, 0, 0, 5, 8, 2, 0xAA, 1, 0])
  }

  @Test func everySplitOfAResponseIsAResponseOrRefused() throws {
    var bytes: [UInt8] = []
    writer.appendProviderBudgets(WireResponses.budgets, callID: 1, to: &bytes)
    let message = Array(bytes.dropFirst(4))
    var decoder = ResponseDecoder()
    for split in 0..<message.count {
      let part = Array(message[..<split])
      do throws(ResponseFault) {
        #expect(try decoder.response(frame: part.span).result == nil)
      } catch {
        #expect(error == .malformed)
      }
    }
  }

  @Test func allowedPositionsMustAscend() async {
    await #expect(processExitsWith: .failure) {
      var reply = FilterReply()
      reply.allow(1)
      reply.allow(1)
    }
  }
}

enum WireResponses {
  static let budgets: GetProviderBudgetsResponse = {
    var plain = Budget(name: "openai", timePeriod: "7d")
    plain.spendUSD = 12.25
    var full = plain
    full.name = "azure"
    full.limitUSD = 0
    full.remainingUSD = -12.25
    full.resetsAtUnixMilliseconds = 1_764_806_400_000
    full.reservedUSD = 0.5
    full.isExhausted = true
    full.quarterHourForecast = BudgetForecast(
      usdPerSecond: 0.25, overSeconds: 900.5, exhaustsAtUnixMilliseconds: 0)
    full.dayForecast = BudgetForecast(usdPerSecond: 0, overSeconds: 86_400)
    full.pattern = PatternNames(limitUSD: 0, live: 1 << 40)
    plain.pattern = PatternNames(limitUSD: nil, live: 0)
    (full.openReservations, full.cushionUSD) = (3, 0.125)
    var result = GetProviderBudgetsResponse()
    result.providers = [plain, full]
    result.deployments = [full]
    result.tags = [Budget(name: "a\u{0}b")]
    result.reconciledAtUnixMilliseconds = 1_764_806_400_123
    result.nextPageToken = "more"
    var reservations = ReservationTotals()
    (reservations.open, reservations.openBound, reservations.settled) = (3, 1_000_000, 1 << 40)
    (reservations.overrunUSD, reservations.recordedUSD) = (0.5, 12.25)
    reservations.unreservedUSD = 1e-12
    result.reservations = reservations
    return result
  }()

  static let history: GetSpendHistoryResponse = {
    var open = SpendWindow(startUnixMilliseconds: -1, endUnixMilliseconds: 1_764_806_400_000)
    (open.spendUSD, open.ownUSD, open.limitUSD) = (12.25, 1e-12, 0)
    (open.isOfFleet, open.isOpen) = (true, true)
    var ended = SpendWindow(startUnixMilliseconds: 0, endUnixMilliseconds: 0)
    (ended.isLimitUnknown, ended.wasReset) = (true, true)
    var result = GetSpendHistoryResponse()
    (result.scope, result.name, result.window) = (.total, "total", "month")
    result.windows = [open, ended]
    (result.nextPageToken, result.timeZone) = ("0", "Europe/Berlin")
    return result
  }()

  static let ping: PingResponse = {
    var result = PingResponse()
    result.version = "1.0.0"
    result.nodeID = "0a1b2c3d"
    result.isReady = true
    result.durability = "commit"
    result.storeState = "partitioned"
    result.notReadyReason = "no"
    result.idempotencyHorizonUnixMilliseconds = 1_764_806_400_123
    result.role = "read"
    result.isInsecureNetwork = true
    return result
  }()
}
