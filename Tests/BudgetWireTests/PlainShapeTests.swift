import BudgetModel
import SeededRandom
import Testing
import WholeRequests

@testable import BudgetWire

/// The short ways of reading say what the walk and protobuf-c say, or nothing.
@Suite struct PlainShapeTests {
  private static let bounds = WireBounds.standard

  private static func message(_ key: String = "key") -> RecordSpendRequest {
    var message = RecordSpendRequest(costUSD: 0.25)
    message.provider = "openai"
    message.deploymentID = "d"
    message.model = "m"
    message.tags = ["a", "", "b"]
    message.idempotencyKey = key
    return message
  }

  private static func plainHead(_ frame: [UInt8]) -> RequestHead? {
    RequestHead(plain: unsafe frame.span.bytes, bounds: bounds)
  }

  private static func tags(_ fields: some RecordSpendFields) -> [String] {
    var tags: [String] = []
    fields.forEachTag { tags.append($0.text) }
    return tags
  }

  private static func tags(_ fields: some FilterDeploymentsFields) -> [String] {
    var tags: [String] = []
    fields.forEachTag { tags.append($0.text) }
    return tags
  }

  @Test func aHeadInItsUsualShapeIsRead() throws {
    for (callID, timeout) in [(1, 0), (300, 0), (UInt64(1) << 40, 5), (7, UInt32.max)] {
      for method in [
        RequestMessage.Method.recordSpend(Self.message()), .ping,
        .explainRequest(FilterDeploymentsRequest(tags: ["a"])),
      ] {
        let frame = try WireSamples.message(
          RequestMessage(callID: callID, timeoutMilliseconds: timeout, method: method))
        let head = try #require(Self.plainHead(frame))
        #expect(head.callID == callID && head.timeoutMilliseconds == timeout)
        let walked = try WireWalk.head(of: unsafe frame.span.bytes, bounds: Self.bounds)
        #expect(walked.callID == callID && walked.timeoutMilliseconds == timeout)
        #expect(walked.method == head.method && head.method != nil)
        #expect(walked.message == head.message)
      }
    }
  }

  @Test func aRecordInAnyOrderIsTakenApart() throws {
    var settled = Self.message()
    settled.reservationID = "r"
    let frame = try WireSamples.message(RequestMessage(callID: 1, method: .recordSpend(settled)))
    let head = try #require(Self.plainHead(frame))
    let plain = try #require(PlainRecord(head.message, bounds: Self.bounds))
    #expect(plain.provider.text == "openai" && plain.deploymentID.text == "d")
    #expect(plain.model.text == "m" && plain.costUSD == 0.25)
    #expect(plain.idempotencyKey.text == "key" && plain.reservationID.text == "r")
    #expect(Self.tags(plain) == ["a", "", "b"])
    let subject = RawField.text(1, "openai") + RawField.text(2, "d") + RawField.text(3, "m")
    let tagged = subject + RawField.text(4, "a") + RawField.text(4, "") + RawField.text(4, "b")
    #expect(NameBytes.with(subject) { $0 == plain.subject })
    #expect(NameBytes.with(tagged) { $0 == plain.subjectAndTags })
    for (parts, subject, tagged) in [
      // A tag more behind the cost, the model behind it, nothing but tags, a model behind tags.
      (
        [
          RawField.text(1, "p"), RawField.text(4, "x"), RawField.double(5, 2),
          RawField.text(4, "y"),
        ], 1, 0
      ),
      ([RawField.text(1, "p"), RawField.double(5, 2), RawField.text(3, "m")], 0, 0),
      ([RawField.text(4, "x"), RawField.double(5, 2)], 0, 1),
      ([RawField.text(1, "p"), RawField.text(4, "x"), RawField.text(3, "m")], 0, 0),
    ] {
      NameBytes.with(Array(parts.joined())) { bytes in
        let plain = PlainRecord(bytes, bounds: Self.bounds)
        #expect(plain?.subject.count == parts[0..<subject].joined().count)
        #expect(plain?.subjectAndTags.count == parts[0..<tagged].joined().count)
      }
    }
    // A tag behind the cost, the cost first, no cost at all.
    let parts = [
      RawField.double(5, 2), RawField.text(4, "x"), RawField.text(1, "p"), RawField.text(4, "y"),
    ]
    let mixed = Array(parts.joined())
    NameBytes.with(mixed) { bytes in
      let plain = PlainRecord(bytes, bounds: Self.bounds)
      #expect(plain?.costUSD == 2 && plain?.provider.text == "p")
      #expect(plain.map { Self.tags($0) } == ["x", "y"])
    }
    NameBytes.with(RawField.text(2, "d")) { bytes in
      let plain = PlainRecord(bytes, bounds: Self.bounds)
      #expect(plain?.deploymentID.text == "d" && plain?.costUSD == nil)
    }
  }

  @Test func aFilterIsTakenApart() throws {
    let frame = try WireSamples.message(WireSamples.filter)
    let head = try #require(Self.plainHead(frame))
    let plain = try #require(PlainFilter(head.message, bounds: Self.bounds))
    #expect(plain.deploymentCount == 8 && plain.modelName.text == "gpt-4o")
    #expect(plain.estimatedCostUSD == 0.0125)
    #expect(Self.tags(plain) == ["team-a", "customer-12345"])
    var deployments = PlainDeployments(plain.candidates)
    var ids: [String] = []
    while case .deployment(let names) = deployments.next() {
      ids.append(names.id.text)
      #expect(names.modelName.text == "gpt-4o" && names.provider.text == "openai")
      #expect(names.model.text == "openai/gpt-4o-\(ids.count - 1)")
    }
    #expect(ids == (0..<8).map { "deployment-000\($0)" })
  }

  @Test func aFilterThatReservesIsTakenApart() throws {
    let frame = try WireSamples.message(WireSamples.fused)
    let head = try #require(Self.plainHead(frame))
    let plain = try #require(PlainFilter(head.message, bounds: Self.bounds))
    #expect(plain.reserve.isWanted && plain.reserve.amountUSD == 0)
    #expect(plain.reserve.ttlMilliseconds == .max)
    #expect(plain.reserve.idempotencyKey.text == "0190163d")
    #expect(plain.reserve.strayField == nil && Self.tags(plain) == ["team-a"])
    var deployments = PlainDeployments(plain.candidates)
    var estimates: [Double?] = []
    while case .deployment(let names) = deployments.next() {
      estimates.append(names.estimatedCostUSD)
      #expect(names.isFree == (estimates.count == 1))
    }
    #expect(estimates == [0, nil])
    for (stray, name) in [
      (RawField.double(6, 0), "reserve_usd"), (RawField.integer(7, 1), "reserve_ttl_ms"),
      (RawField.text(8, "k"), "idempotency_key"),
    ] {
      NameBytes.with(stray + RawField.text(2, "t")) { bytes in
        let plain = PlainFilter(bytes, bounds: Self.bounds)
        #expect(plain?.reserve.strayField == name && plain?.reserve.isWanted == false)
        // Tags are found behind numbers of every kind.
        #expect(plain.map { Self.tags($0) } == ["t"])
      }
    }
    for unusual in [
      RawField.integer(5, 1) + RawField.integer(5, 1), RawField.integer(6, 1),
      RawField.double(7, 1), RawField.integer(7, 1 << 32), RawField.integer(8, 1),
      [7 << 3, 0x80], RawField.text(9, "x"),
    ] {
      NameBytes.with(unusual) { #expect(PlainFilter($0, bounds: Self.bounds) == nil) }
    }
  }

  @Test func aReservationIsTakenApart() throws {
    let frame = try WireSamples.message(WireSamples.reserve)
    let head = try #require(Self.plainHead(frame))
    let plain = try #require(PlainReserve(head.message, bounds: Self.bounds))
    #expect(plain.provider.text == "openai" && plain.deploymentID.text == "d1")
    #expect(plain.model.text == "openai/gpt-4o" && plain.modelName.text == "gpt-4o")
    #expect(plain.amountUSD == 0.5 && plain.ttlMilliseconds == 60_000)
    #expect(plain.idempotencyKey.text == "k")
    var tags: [String] = []
    plain.forEachTag { tags.append($0.text) }
    #expect(tags == ["team-a", ""])
    // Tags behind the number.
    NameBytes.with(RawField.integer(6, 5) + RawField.text(4, "x")) { bytes in
      var tags: [String] = []
      PlainReserve(bytes, bounds: Self.bounds)?.forEachTag { tags.append($0.text) }
      #expect(tags == ["x"])
    }
    for unusual in [
      RawField.text(6, "k"), RawField.integer(6, 1) + RawField.integer(6, 1),
      RawField.integer(6, 1 << 32), RawField.integer(7, 1), RawField.text(9, "x"),
    ] {
      NameBytes.with(unusual) { #expect(PlainReserve($0, bounds: Self.bounds) == nil) }
    }
    // A record has no such number.
    NameBytes.with(RawField.integer(6, 5)) { #expect(PlainRecord($0, bounds: Self.bounds) == nil) }
  }

  @Test func otherShapesAreLeftToTheWalk() throws {
    // A method that is read behind a call id, so that what is refused is what stands before it.
    let body: [UInt8] = [11 << 3 | 2, 0]
    #expect(Self.plainHead([8, 1] + body) != nil)
    for frame in [
      [], [8], [8, 0] + body, [8, 1], [8, 1, 16], body, [8, 1] + body + [8, 1],
      [8, 1, 16] + RawField.varint(1 << 32) + body, [8, 1, 24, 1] + body,
      [8] + RawField.varint(.max) + body, [8, 1, 0x4A, 0], [8, 1, 0xAA, 2, 0],
      // Something behind the method: another call id, another method.
      [8, 1, 0x5A, 0, 8, 2], [8, 1, 0x5A, 0, 0x52, 0],
      // A length in six bytes, which the decoder refuses.
      [8, 1, 0x5A, 0x81, 0x80, 0x80, 0x80, 0x80, 0, 0],
    ] {
      #expect(Self.plainHead(frame) == nil, "\(frame)")
    }
    // The usual shape, but for its length.
    for (count, isPlain) in [
      (Self.bounds.maximumRequestBytes, true), (Self.bounds.maximumRequestBytes + 1, false),
    ] {
      let text = RawField.text(11, String(repeating: "x", count: count - 6))
      let frame = [8, 1] + text
      #expect(frame.count == count)
      #expect((Self.plainHead(frame) != nil) == isPlain)
    }
    let tag = RawField.text(4, "t")
    let records: [[UInt8]] = [
      RawField.text(1, "a") + RawField.text(1, "b"), RawField.double(5, 1) + RawField.double(5, 1),
      RawField.text(9, "x"), RawField.text(8, "x") + RawField.text(8, "y"), RawField.text(5, "x"),
      RawField.double(4, 1), RawField.integer(1, 7),
      [4 << 3 | 2, 5, 65], [5 << 3 | 1, 0, 0], [0x0A, 0x81, 0x80, 0], [0x0A], [0x8A, 0, 0],
      RawField.times(257, tag),
    ]
    for record in records {
      NameBytes.with(record) { #expect(PlainRecord($0, bounds: Self.bounds) == nil, "\(record)") }
    }
    #expect(
      NameBytes.with(RawField.times(256, tag)) { PlainRecord($0, bounds: Self.bounds) != nil })
    let one = RawField.bytes(1, [])
    let filters: [[UInt8]] = [
      one + RawField.text(2, "t") + one, RawField.text(3, "m") + RawField.text(3, "m"),
      RawField.double(4, 1) + RawField.double(4, 1), RawField.text(5, "x"), RawField.integer(9, 1),
      [0x0A, 3, 0x0A], RawField.times(1_025, one), RawField.times(257, RawField.text(2, "t")),
    ]
    for filter in filters {
      NameBytes.with(filter) { #expect(PlainFilter($0, bounds: Self.bounds) == nil, "\(filter)") }
    }
  }

  @Test func anUnusualDeploymentIsSaidToBeOne() {
    let unusual: [[UInt8]] = [
      RawField.text(1, "a") + RawField.text(1, "b"), RawField.text(5, "x"), RawField.integer(1, 2),
      [0x0A, 9, 65], [0x0A],
    ]
    for inner in unusual {
      let list = RawField.bytes(1, RawField.text(1, "ok")) + RawField.bytes(1, inner)
      NameBytes.with(list) { bytes in
        var deployments = PlainDeployments(bytes)
        guard case .deployment(let first) = deployments.next(), first.id.text == "ok" else {
          Issue.record("the first one is usual: \(inner)")
          return
        }
        guard case .unusual = deployments.next() else {
          Issue.record("taken: \(inner)")
          return
        }
      }
    }
  }

  /// Frames changed at random: whatever the short way reads, the decoder reads too, and the same.
  @Test func theDecoderAgrees() throws {
    var random = SeededRandom(seed: FuzzSeed.current)
    let samples = try [
      RequestMessage(callID: 9, timeoutMilliseconds: 70, method: .recordSpend(Self.message())),
      WireSamples.filter, WireSamples.record,
    ].map { try WireSamples.message($0) }
    var read = 0
    for round in 0..<30_000 {
      var frame = samples[round % samples.count]
      for _ in 0..<Int.random(in: 0...2, using: &random) {
        frame[Int.random(in: frame.indices, using: &random)] = UInt8.random(
          in: 0...255, using: &random)
      }
      if Int.random(in: 0..<4, using: &random) == 0 {
        frame.removeLast(Int.random(in: 0...frame.count, using: &random))
      }
      guard let head = Self.plainHead(frame) else { continue }
      let comment: Comment = "seed \(FuzzSeed.current), \(frame)"
      let decoded = try? RequestMessage.decoded(frame)
      switch head.method {
      case .recordSpend:
        guard let plain = PlainRecord(head.message, bounds: Self.bounds) else { continue }
        guard case .recordSpend(let message)? = decoded?.method else {
          Issue.record("not decoded: \(comment)")
          continue
        }
        #expect(message.provider == plain.provider.text, comment)
        #expect(message.costUSD?.bitPattern == plain.costUSD?.bitPattern, comment)
        #expect(message.tags == Self.tags(plain), comment)
        #expect(message.idempotencyKey == plain.idempotencyKey.text, comment)
        #expect(message.reservationID == plain.reservationID.text, comment)
      case .filterDeployments:
        guard let plain = PlainFilter(head.message, bounds: Self.bounds) else { continue }
        var (deployments, ids) = (PlainDeployments(plain.candidates), [String]())
        reading: while true {
          switch deployments.next() {
          case .deployment(let names): ids.append(names.id.text)
          case .unusual:
            ids.append("unusual")
            break reading
          case .end: break reading
          }
        }
        if ids.last == "unusual" { continue }
        guard case .filterDeployments(let message)? = decoded?.method else {
          Issue.record("not decoded: \(comment)")
          continue
        }
        #expect(message.deployments.map(\.id) == ids, comment)
        #expect(message.tags == Self.tags(plain), comment)
        #expect(message.modelName == plain.modelName.text, comment)
      default: continue
      }
      #expect(decoded?.callID == head.callID, comment)
      read += 1
    }
    #expect(read > 5_000)
  }
}
