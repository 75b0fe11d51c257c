import BudgetModel
import Testing
import WholeRequests

@testable import BudgetWire

/// Messages that cost protobuf-c minutes or gigabytes when they were handed over raw.
@Suite struct HostileInputTests {
  /// The refusal and the arena bytes that it took.
  private func outcome(_ message: [UInt8]) -> (fault: WireFault?, arenaBytes: Int) {
    var decoder = RequestDecoder()
    do throws(WireRefusal) {
      try decoder.withRequest(frame: message.span) { _ in }
      return (nil, decoder.lastRequestArenaBytes)
    } catch {
      return (error.fault, decoder.lastRequestArenaBytes)
    }
  }

  private let id = RawField.integer(1, 9)

  @Test func aQuadraticMergeIsRefusedAtTheSecondMessage() {
    let part = RawField.bytes(10, RawField.times(20, RawField.bytes(1, [])))
    let message = id + RawField.times((256 * 1024 - 2) / part.count, part)
    let outcome = outcome(message)
    let field = WireField(message: .request, number: 10)
    #expect(outcome.fault == .givenTwice(field))
    #expect(outcome.arenaBytes == 0)
  }

  @Test func floodsOfTwoByteFieldsNeverReachTheArena() {
    let most = (256 * 1024 - 10) / 2
    let unknown = outcome(id + RawField.times(most, RawField.integer(3, 0)))
    #expect(unknown.fault == .tooManyUnknownFields(bound: 32))
    #expect(unknown.arenaBytes == 0)
    let empty = outcome(id + RawField.bytes(10, RawField.times(most, RawField.bytes(1, []))))
    #expect(
      empty.fault
        == .tooMany(
          WireField(message: .filterDeployments, number: 1), count: most, bound: 1024))
    #expect(empty.arenaBytes == 0)
    let scalar = outcome(id + RawField.times(most, RawField.integer(2, 0)))
    #expect(scalar.fault == .givenTwice(WireField(message: .request, number: 2)))
    #expect(scalar.arenaBytes == 0)
  }

  @Test func tenThousandLevelsAreOneUnknownField() {
    var nested: [UInt8] = []
    for _ in 0..<10_000 { nested = RawField.bytes(10, nested) }
    let outcome = outcome(id + nested)
    #expect(outcome.fault == nil)
    #expect(outcome.arenaBytes <= WireBounds.arenaBytes(forRequestOf: id.count + nested.count))
    #expect(
      WireSamples.refusal(of: id + [UInt8](repeating: 0x53, count: 10_000))?.fault
        == .group(offset: 2))
  }

  @Test func everyWrongLengthIsRefused() throws {
    // Each length of the message replaced by every larger one of as many bytes, and by huge ones.
    let message = id + RawField.bytes(10, RawField.bytes(1, RawField.text(1, "abc")))
    let lengthOffsets = [3, 5, 7]
    for offset in lengthOffsets {
      for length in (message[offset] + 1)..<0x80 {
        var lie = message
        lie[offset] = length
        #expect(WireSamples.refusal(of: lie)?.callID == 9)
      }
      for huge: UInt64 in [1 << 31 - 1, 1 << 31, 1 << 32 - 1, 1 << 35 - 1, 1 << 63, .max] {
        var lie = message
        lie.replaceSubrange(offset...offset, with: RawField.varint(huge))
        #expect(WireSamples.refusal(of: lie)?.callID == 9)
      }
    }
  }

  @Test func theMostAFrameMayHoldFitsTheArena() throws {
    let lists =
      RawField.times(1024, RawField.bytes(1, [])) + RawField.times(1024, RawField.bytes(6, []))
      + RawField.times(256, RawField.bytes(7, [])) + RawField.times(1024, RawField.bytes(10, []))
      + RawField.times(32, RawField.integer(40, 0))
    let budgets = outcome(id + RawField.bytes(12, lists))
    #expect(budgets.fault == nil)
    let one = RawField.bytes(1, RawField.times(32, RawField.integer(9, 0)))
    let filter = outcome(
      id
        + RawField.bytes(
          10,
          one + RawField.times(1023, RawField.bytes(1, []))
            + RawField.times(256, RawField.bytes(2, []))))
    #expect(filter.fault == nil)
    let name = RawField.text(1, String(repeating: "n", count: 240))
    let full = id + RawField.bytes(10, RawField.times(1024, RawField.bytes(1, name)))
    #expect(outcome(full).fault == nil)
    print(
      "arena bytes: lists of nothing \(budgets.arenaBytes), deployments of nothing"
        + " \(filter.arenaBytes), \(full.count) bytes of names \(outcome(full).arenaBytes)")
  }
}
