import BudgetModel
import Testing

@Suite struct PrintableTextTests {
  @Test func whatSteersATerminalOrTurnsTextIsEscaped() {
    for value in Array(0..<0x20) + Array(0x7F...0x9F) + Array(0x2028...0x202E)
      + Array(0x2066...0x2069) + [0x061C, 0x200E, 0x200F] as [UInt32]
    {
      guard let scalar = Unicode.Scalar(value) else { continue }
      let text = "a\(Character(scalar))b"
      #expect(text.printable == "a\\u{\(String(value, radix: 16))}b")
    }
  }

  @Test func everythingElseIsLeftAsItIs() {
    let text = "q\"\\ é 模型 🎈 \u{A0}\u{200D}\u{2027}\u{202F}\u{2065}\u{206A}"
    #expect(text.printable == text && "".printable == "")
  }

  @Test func longTextsLoseTheirEnd() {
    #expect("abc".printable(upTo: 3) == "abc")
    #expect("abcd".printable(upTo: 3) == "abc…")
    #expect("\n\n".printable(upTo: 1) == "\\u{a}…", "counted as it comes, not as it is shown")
    #expect("".printable(upTo: 0) == "")
  }
}
