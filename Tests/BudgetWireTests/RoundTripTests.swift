import BudgetModel
import Testing
import WholeRequests

@testable import BudgetWire

@Suite struct RoundTripTests {
  @Test func everyRequestReadsBackAsItWasWritten() throws {
    for request in WireSamples.requests {
      #expect(try RequestMessage.decoded(WireSamples.message(request)) == request)
    }
  }

  @Test func oneDecoderTakesRequestAfterRequest() throws {
    var decoder = RequestDecoder()
    for _ in 0..<3 {
      for request in WireSamples.requests {
        let message = try WireSamples.message(request)
        let read = try decoder.withRequest(frame: message.span) { RequestMessage($0) }
        #expect(read == request)
        let bound = WireBounds.arenaBytes(forRequestOf: message.count)
        #expect(decoder.lastRequestArenaBytes <= bound)
      }
    }
  }

  @Test func anEmbeddedNULSurvives() throws {
    let first = RawField.bytes(11, RawField.text(1, "openai\0x") + RawField.double(5, 1))
    var decoder = RequestDecoder()
    let message = RawField.integer(1, 9) + first
    try decoder.withRequest(frame: message.span) { request in
      guard case .recordSpend(let view) = request.method else {
        Issue.record("no RecordSpend")
        return
      }
      #expect(view.provider.count == 8)
      #expect(view.provider[6] == 0)
      #expect(!view.provider.isWellFormed)
    }
  }

  @Test func bytesThatAreNoUTF8ArriveAsTheyAre() throws {
    let message = RawField.integer(1, 9) + RawField.bytes(11, RawField.bytes(4, [0xC3, 0x28]))
    var decoder = RequestDecoder()
    try decoder.withRequest(frame: message.span) { request in
      guard case .recordSpend(let view) = request.method else {
        Issue.record("no RecordSpend")
        return
      }
      #expect(view.tagCount == 1)
      #expect(view.tag(at: 0)[0] == 0xC3)
      #expect(view.tag(at: 0)[1] == 0x28)
    }
  }

  @Test func numbersWithoutAMethodAreNone() throws {
    for reserved: UInt64 in [9, 26, 250] {
      let message = RawField.integer(1, 9) + RawField.bytes(reserved, [])
      #expect(try RequestMessage.decoded(message).method == nil)
    }
  }

  @Test func anEmptyFrameIsARequestWithoutAMethod() throws {
    let request = try RequestMessage.decoded([])
    #expect(request == RequestMessage(callID: 0, method: nil))
  }

  @Test func aRequestTooLongIsNotSent() throws {
    let name = String(repeating: "x", count: 256 * 1024)
    let method = FilterDeploymentsRequest(modelName: name)
    let request = RequestMessage(callID: 1, method: .filterDeployments(method))
    var bytes: [UInt8] = [1, 2, 3]
    let fault = WireFault.frameTooLong(length: 262_154, bound: 262_144)
    #expect(throws: fault) { try request.appendFrame(to: &bytes) }
    #expect(bytes == [1, 2, 3])
    #expect(fault.code == .resourceExhausted)
    #expect("\(fault)" == "frame: 262,154 bytes, at most 262,144")
  }

  @Test func headersAreBigEndianAndReadAtEverySplit() throws {
    for length in [0, 1, 255, 256, 65_537, 1 << 31, Int(UInt32.max)] {
      var bytes: [UInt8] = []
      FrameHeader.append(messageLength: length, to: &bytes)
      #expect(bytes.count == 4)
      for split in 0..<4 {
        #expect(FrameHeader.messageLength(in: bytes.span.extracting(0..<split)) == nil)
      }
      #expect(FrameHeader.messageLength(in: bytes.span) == length)
    }
    var bytes: [UInt8] = []
    FrameHeader.append(messageLength: 0x0102_0304, to: &bytes)
    #expect(bytes == [1, 2, 3, 4])
  }

  /// A message cut anywhere is either refused, on its call if that could be read, or cut between
  /// two fields of the envelope; it never shows a part of a method.
  @Test func everySplit() throws {
    for request in WireSamples.requests {
      let message = try WireSamples.message(request)
      let idLength = RawField.integer(1, request.callID).count
      for split in 0..<message.count {
        do throws(WireRefusal) {
          let read = try RequestMessage.decoded(Array(message[..<split]))
          #expect(read.method == nil)
          #expect(read.callID == (split == 0 ? 0 : request.callID))
        } catch {
          #expect(error.callID == (split >= idLength ? request.callID : 0), "\(request) \(split)")
        }
      }
    }
  }
}
