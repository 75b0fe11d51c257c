import BudgetModel
import Testing

@testable import BudgetWire

/// The short ways of reading say what the decoder says, or nothing.
@Suite struct MethodEnvelopeTests {
  private static func record(_ request: RequestMessage) throws -> [UInt8] {
    Array(try request.frame().dropFirst(FrameHeader.byteCount))
  }

  private static func message(_ key: String = "key") -> RecordSpendMessage {
    var message = RecordSpendMessage(costUSD: 0.25)
    message.provider = "openai"
    message.deploymentID = "d"
    message.model = "m"
    message.tags = ["a", "", "b"]
    message.idempotencyKey = key
    return message
  }

  private static func envelope<Result>(
    _ frame: [UInt8], _ body: (MethodEnvelope?) throws -> Result
  ) rethrows -> Result {
    try body(MethodEnvelope(frame: unsafe frame.span.bytes))
  }

  @Test func theUsualShapeIsTakenApart() throws {
    for (callID, timeout) in [(1, 0), (300, 0), (UInt64(1) << 40, 5), (7, UInt32.max)] {
      let request = RequestMessage(
        callID: callID, timeoutMilliseconds: timeout, method: .recordSpend(Self.message()))
      try Self.envelope(Self.record(request)) { envelope in
        let envelope = try #require(envelope)
        #expect(envelope.callID == callID && envelope.timeoutMilliseconds == timeout)
        #expect(envelope.method == .recordSpend)
        let plain = try #require(PlainRecord(envelope.message))
        #expect(plain.costUSD == 0.25 && plain.idempotencyKey.text == "key")
        var subject = Self.message("")
        subject.costUSD = nil
        var bytes: [UInt8] = []
        subject.append(to: &bytes)
        // Behind the key and the length of the message itself.
        #expect(Array(plain.subject.text.utf8) == Array(bytes.dropFirst(2)))
      }
    }
  }

  @Test func otherShapesAreLeftToTheDecoder() throws {
    var settled = Self.message()
    settled.reservationID = "r"
    var free = Self.message()
    free.costUSD = nil
    let long = [5 << 3 | 1] + [UInt8](repeating: 0, count: 8) + [6 << 3 | 2]
    for length: [UInt8] in [[0x81, 0], [0x81, 0x80, 0x80, 0x80, 0x80, 0]] {
      let isRead = NameBytes.with(long + length + [65]) { PlainRecord($0) != nil }
      #expect(isRead == (length.count <= 5), "\(length)")
    }
    for message in [settled, free] {
      let request = RequestMessage(callID: 1, method: .recordSpend(message))
      try Self.envelope(Self.record(request)) { envelope in
        let envelope = try #require(envelope)
        #expect(PlainRecord(envelope.message) == nil)
      }
    }
    // A method that is read behind a call id, so that what is refused is what stands before it.
    let body: [UInt8] = [11 << 3 | 2, 0]
    Self.envelope([8, 1] + body) { #expect($0 != nil) }
    for frame in [
      [], [8], [8, 0] + body, [8, 1], [8, 1, 16], body, [8, 1] + body + [8, 1],
      [8, 1, 16] + RawField.varint(1 << 32) + body, [8, 1, 24, 1] + body,
      [8] + RawField.varint(.max) + body, [8, 1, 0x7A, 0],
      // Something behind the method: another call id, another method.
      [8, 1, 0x5A, 0, 8, 2], [8, 1, 0x5A, 0, 0x52, 0],
      // A length in six bytes, which the decoder refuses.
      [8, 1, 0x5A, 0x81, 0x80, 0x80, 0x80, 0x80, 0, 0],
    ] {
      Self.envelope(frame) { #expect($0 == nil, "\(frame)") }
    }
  }

  /// Frames changed at random: whatever the short way reads, the decoder reads too.
  @Test func theDecoderAgrees() throws {
    var random = SplitMix(state: FuzzSeed.current)
    var decoder = RequestDecoder()
    let whole = try Self.record(
      RequestMessage(callID: 9, timeoutMilliseconds: 70, method: .recordSpend(Self.message())))
    var read = 0
    for _ in 0..<20_000 {
      var frame = whole
      for _ in 0..<Int.random(in: 0...2, using: &random) {
        frame[Int.random(in: frame.indices, using: &random)] = UInt8.random(
          in: 0...255, using: &random)
      }
      if Int.random(in: 0..<4, using: &random) == 0 {
        frame.removeLast(Int.random(in: 0...frame.count, using: &random))
      }
      Self.envelope(frame) { envelope in
        guard let envelope, envelope.method == .recordSpend,
          let plain = PlainRecord(envelope.message)
        else { return }
        do throws(WireRefusal) {
          try decoder.withRequest(frame: unsafe frame.span.bytes) { request in
            #expect(request.callID == envelope.callID, "seed \(FuzzSeed.current), \(frame)")
            #expect(request.timeoutMilliseconds == envelope.timeoutMilliseconds)
            guard case .recordSpend(let view) = request.method else {
              Issue.record("seed \(FuzzSeed.current): no record: \(frame)")
              return
            }
            #expect(view.costUSD?.bitPattern == plain.costUSD.bitPattern)
            #expect(view.idempotencyKey == plain.idempotencyKey)
            #expect(view.reservationID.isEmpty)
          }
          read += 1
        } catch {
          Issue.record("seed \(FuzzSeed.current): \(error.status) for \(frame)")
        }
      }
    }
    #expect(read > 1_000)
  }
}
