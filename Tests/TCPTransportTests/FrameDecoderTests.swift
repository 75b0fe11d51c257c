import Testing

@testable import TCPTransport

@Suite struct FrameDecoderTests {
  private func step(_ bytes: [UInt8], bound: Int = 8) -> FrameDecoder.Step {
    unsafe FrameDecoder(longestBody: bound).step(in: bytes.span.bytes, at: 0)
  }

  @Test func headersInPiecesSayHowMuchIsMissing() {
    #expect(step([]) == .partial(missing: 4))
    #expect(step([0]) == .partial(missing: 3))
    #expect(step([0, 0, 0]) == .partial(missing: 1))
    #expect(step([0, 0, 0, 0]) == .frame(body: 4..<4))
    #expect(step([0, 0, 0, 2, 9]) == .partial(missing: 1))
    #expect(step([0, 0, 0, 2, 9, 9, 9]) == .frame(body: 4..<6))
  }

  @Test func theBoundIsJudgedByTheHeaderAlone() {
    #expect(step(header(7)) == .partial(missing: 7))
    #expect(step(header(8)) == .partial(missing: 8))
    #expect(step(header(9)) == .tooLarge(length: 9))
    #expect(step(header(1 << 31)) == .tooLarge(length: 1 << 31))
    #expect(step(header(1 << 32 - 1)) == .tooLarge(length: 1 << 32 - 1))
    #expect(step(Array(header(9).prefix(3))) == .partial(missing: 1))
  }

  @Test func walksASequence() {
    let bytes = frame("ab") + frame("") + frame("xyz")
    let decoder = FrameDecoder(longestBody: 8)
    var bodies: [[UInt8]] = []
    var offset = 0
    while case .frame(let body) = unsafe decoder.step(in: bytes.span.bytes, at: offset) {
      bodies.append(Array(bytes[body]))
      offset = body.upperBound
    }
    #expect(bodies == [Array("ab".utf8), [], Array("xyz".utf8)])
    #expect(offset == bytes.count)
  }
}
