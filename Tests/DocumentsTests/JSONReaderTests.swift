import SeededRandom
import Testing

@testable import Documents

@Suite struct JSONReaderTests {
  @Test func valuesKeepTypeOrderAndLine() throws {
    let text = #"""
      {"b": [1, -0, 2.50, 1E3, 12345678901234567890123],
       "a": {"x": null, "y": true, "z": false},
       "s": "é\u00e9 \ud83d\ude00\ud83d\ude00 \"\\\/\b\f\n\r\t", "e": ""}
      """#
    let node = try DocumentNode.parse(json: text, file: "t", line: 7)
    #expect(node.mapping?.entries.map(\.key.text) == ["b", "a", "s", "e"])
    #expect(node["b"]?.pythonText == "[1, 0, 2.5, 1000.0, 12345678901234567890123]")
    #expect(node["a"]?.pythonText == "{'x': None, 'y': True, 'z': False}")
    #expect(node["s"]?.text == "éé 😀😀 \"\\/\u{8}\u{C}\n\r\t")
    #expect(node.line == 7 && node["a"]?.line == 8 && node["e"]?.line == 9)
  }

  @Test func repeatedKeysKeepTheirPlaceAndTakeTheLastValue() throws {
    let mapping = try #require(try DocumentNode.parse(json: #"{"a":1,"b":2,"a":3}"#).mapping)
    #expect(mapping.entries.map(\.key.text) == ["a", "b"])
    #expect(mapping["a"]?.number == 3)
    #expect(mapping.repetitions.map(\.key.text) == ["a"])
  }

  @Test(arguments: [
    ("", "t:1:1: no valid JSON: a value is missing at the end"),
    ("{\"a\": 1,}", "t:1:9: no valid JSON: a key in double quotes is missing"),
    ("[1\n 2]", "t:2:2: no valid JSON: a ',' or ']' is missing"),
    ("[1] x", "t:1:5: no valid JSON: something follows the value"),
    ("{\"a\" 1}", "t:1:6: no valid JSON: a ':' is missing"),
    ("NaN", "t:1:1: no valid JSON: no value starts like this"),
    ("'a'", "t:1:1: no valid JSON: no value starts like this"),
    ("tru", "t:1:1: no valid JSON: no value starts like this"),
    ("01", "t:1:3: no valid JSON: a number has no digits, or a 0 before them"),
    ("-", "t:1:2: no valid JSON: a number has no digits, or a 0 before them"),
    ("1.", "t:1:3: no valid JSON: digits are missing after the point"),
    ("1e", "t:1:3: no valid JSON: digits are missing in the exponent"),
    ("\"a", "t:1:3: no valid JSON: a text has no end"),
    ("\"\t\"", "t:1:2: no valid JSON: a control character stands in a text"),
    ("\"\\x\"", "t:1:4: no valid JSON: a text has an unknown escape"),
    ("\"\\ud800\"", "t:1:8: no valid JSON: half of a surrogate pair stands alone"),
    ("\"\\ud800\\u0041\"", "t:1:14: no valid JSON: half of a surrogate pair stands alone"),
    ("\"\\udc00\"", "t:1:8: no valid JSON: half of a surrogate pair stands alone"),
    ("\"\\u12g4\"", "t:1:6: no valid JSON: four hexadecimal digits are missing after \\u"),
  ])
  func invalidTextsAreRefused(text: String, message: String) {
    let error = #expect(throws: DocumentError.self) {
      try DocumentNode.parse(json: text, file: "t")
    }
    #expect(error?.description == message)
  }

  @Test func depthAndDigitsAreBounded() throws {
    let deepest = String(repeating: "[", count: 256) + String(repeating: "]", count: 256)
    _ = try DocumentNode.parse(json: deepest)
    let deeper = String(repeating: "[", count: 100_000)
    let error = #expect(throws: DocumentError.self) {
      try DocumentNode.parse(json: deeper, file: "t")
    }
    #expect(error?.description == "t:1:258: no valid JSON: nested deeper than 256 levels")
    let digits = String(repeating: "9", count: 4_301)
    #expect(throws: DocumentError.self) { try DocumentNode.parse(json: digits) }
  }

  /// Whatever the bytes: an answer, or a problem, never a crash.
  @Test func randomTextsNeverCrash() {
    let seed = UInt64.random(in: 0 ... .max)
    print("random JSON, seed \(seed)")
    var random = SeededRandom(seed: seed)
    let pieces = [
      "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "d8", "00", "1", "-", ".", "e", " ", "\n",
      "é", "null", "true",
    ]
    for _ in 0..<20_000 {
      let count = Int.random(in: 0..<24, using: &random)
      let text = (0..<count).map { _ in pieces.randomElement(using: &random) ?? "" }.joined()
      _ = try? DocumentNode.parse(json: text)
    }
  }
}
