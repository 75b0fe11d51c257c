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
    var now = MonotonicInstant(nanoseconds: 0)
    #expect(notes.isDue(.encryption, at: now) && !notes.isDue(.encryption, at: now))
    #expect(notes.isDue(.http, at: now))
    now = now.advanced(by: .milliseconds(59_999))
    #expect(!notes.isDue(.encryption, at: now) && !notes.isDue(.http, at: now))
    now = now.advanced(by: .milliseconds(1))
    #expect(notes.isDue(.encryption, at: now) && !notes.isDue(.encryption, at: now))
  }
}
