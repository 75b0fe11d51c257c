import BudgetModel
import JSONWriting
import Testing

@Suite struct JSONTextTests {
  /// All that is escaped by one style or another: every control character, and its neighbours.
  private static let controls = (0...0xA0).compactMap { Unicode.Scalar($0) }

  private func escaped(_ text: String, _ style: JSONStyle) -> String {
    String(JSONValue.string(text).text(style).dropFirst().dropLast())
  }

  @Test(arguments: [
    (JSONStyle.page, 0x1F, true), (.commandLine, 0x9F, false), (.python, 0x9F, true),
  ])
  func controlCharactersAreEscaped(style: JSONStyle, last: UInt32, isShort: Bool) {
    for scalar in Self.controls {
      let text = String(Character(scalar))
      let digits = String(scalar.value, radix: 16)
      let escape = "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      let isEscaped = scalar.value < 0x20 || scalar.value >= 0x7F && scalar.value <= last
      var expected = isEscaped ? escape : text
      switch scalar {
      case "\"": expected = "\\\""
      case "\\": expected = "\\\\"
      case "\n" where isShort: expected = "\\n"
      case "\r" where isShort: expected = "\\r"
      case "\t" where isShort: expected = "\\t"
      default: break
      }
      #expect(escaped(text, style) == expected, "U+\(digits)")
      #expect(escaped("a" + text + "é", style) == "a" + expected + "é", "U+\(digits)")
    }
  }

  /// Bytes within a character that look like an upper control character are not one.
  @Test func otherCharactersAreLeftAsTheyAre() {
    let text = "é à Ā 模型 🎈 \u{A0}\u{BF}\u{C2}\u{C0}\u{10FFFF}"
    for style in [JSONStyle.page, .commandLine, .python] { #expect(escaped(text, style) == text) }
    #expect(escaped("\u{85}\u{85}\u{C2}\u{9B}", .python) == "\\u0085\\u0085\u{C2}\\u009b")
  }

  private static let value = JSONValue.object([
    ("b", .number(0.1)), ("a", .integer(3)), ("n", .number(1e-12)), ("w", .number(100)),
    ("l", .array([.bool(true), .null, .array([]), .object([])])), ("q\"", .string("x")),
    ("i", .number(.infinity)),
  ])

  @Test func eachStyleSpacesAndSpellsNumbersInItsWay() {
    #expect(
      Self.value.text(.commandLine)
        == #"{"b":0.1,"a":3,"n":1e-12,"w":100,"l":[true,null,[],{}],"q\"":"x","i":null}"#)
    #expect(
      Self.value.text(.page)
        == #"{"b":0.1,"a":3,"n":1e-12,"w":100.0,"l":[true,null,[],{}],"q\"":"x","i":null}"#)
    #expect(
      Self.value.text(.python)
        == #"{"b": 0.1, "a": 3, "n": 1e-12, "w": 100.0, "l": [true, null, [], {}], "#
        + #""q\"": "x", "i": null}"#)
  }

  @Test func membersComeInTheOrderOfTheCalls() {
    var text = JSONText()
    text.object { text in
      text.add("s", nil as String?)
      text.add("t", "a")
      text.add("n", 3 as Int?)
      text.add("d", 2.0)
      text.add("none", nil as Double?)
      text.add("usd", PicoUSD(dollars: 5) as PicoUSD?)
      text.add("digits", number: "0.000000000001")
      text.array("list") { text in
        text.element("x")
        text.object { $0.add("y", true as Bool?) }
        text.element(.integer(7))
      }
      text.object("empty") { _ in }
    }
    #expect(
      String(decoding: text.bytes, as: UTF8.self)
        == #"{"s":null,"t":"a","n":3,"d":2.0,"none":null,"usd":"5","usd_usd":5.0,"#
        + #""digits":0.000000000001,"list":["x",{"y":true},7],"empty":{}}"#)
  }
}
