import Sockets
import Testing

@testable import BudgetServer

/// Clients that speak something else to the RPC port.
@Suite struct ForeignProtocolTests {
  private func announced(_ bytes: [UInt8]) -> ForeignProtocol? {
    ForeignProtocol(announced: bytes.reduce(0) { $0 << 8 | Int($1) })
  }

  @Test func knownByTheirFirstBytes() {
    #expect(announced([0x16, 3, 1, 2]) == .encryption)
    #expect(announced([0x16, 3, 4, 0]) == .encryption)
    #expect(announced([0x16, 3, 5, 0]) == nil)
    #expect(announced([0x15, 3, 1, 2]) == nil)
    #expect(announced(Array("GET ".utf8)) == .http && announced(Array("PRI ".utf8)) == .http)
    #expect(announced(Array("GETS".utf8)) == nil && announced([0xFF, 0xFE, 0, 1]) == nil)
  }

  @Test func saidOnceAMinuteEach() {
    var notes = ForeignProtocolNotes()
    func due(_ spoken: ForeignProtocol, after milliseconds: Int64) -> Bool {
      let now = MonotonicInstant(nanoseconds: 0).advanced(by: .milliseconds(milliseconds))
      return notes.isDue(spoken, at: now)
    }
    let first = [due(.encryption, after: 0), due(.encryption, after: 1), due(.http, after: 2)]
    #expect(first == [true, false, true])
    let early = [due(.encryption, after: 59_999), due(.http, after: 60_001)]
    #expect(early == [false, false])
    let late = [due(.encryption, after: 60_000), due(.encryption, after: 60_001)]
    #expect(late == [true, false])
    #expect(due(.http, after: 60_002))
  }
}
