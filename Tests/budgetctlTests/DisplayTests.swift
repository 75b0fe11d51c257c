import BudgetModel
import JSONWriting
import Testing

@testable import budgetctl

@Suite struct DisplayTests {
  @Test func whatSteersTerminalsIsEscaped() {
    #expect("\u{1B}[31mred\u{07}".printable == "\\u{1b}[31mred\\u{7}")
    #expect("a\nb\u{9B}1m".printable == "a\\u{a}b\\u{9b}1m")
    #expect("x\u{202E}y\u{2066}\u{2028}".printable == "x\\u{202e}y\\u{2066}\\u{2028}")
    #expect("naïve 东京 👩‍🚀".printable == "naïve 东京 👩‍🚀")
  }

  @Test func widthsAreThoseOfTerminals() {
    #expect("abc".displayWidth == 3)
    #expect("东京".displayWidth == 4)
    #expect("e\u{301}".displayWidth == 1)
    #expect("👩‍🚀".displayWidth == 2)
    #expect("ｱ한".displayWidth == 3)
    #expect("░█…".displayWidth == 3)
  }

  @Test func longNamesLoseTheirMiddle() {
    #expect("abcdefghij".shortened(to: 10) == "abcdefghij")
    #expect("abcdefghij".shortened(to: 7) == "abc…hij")
    #expect("abcdefghij".shortened(to: 1) == "…")
    for width in 1...12 {
      #expect("东京都大阪府".shortened(to: width).displayWidth <= width)
    }
  }

  @Test func longLinesLoseTheirEnd() {
    #expect("abcdef".cut(to: 6) == "abcdef")
    #expect("abcdef".cut(to: 5) == "abcd…")
    #expect("abcdef".cut(to: 1) == "…")
    #expect("abcdef".cut(to: 0) == "")
    for width in 1...12 {
      #expect("东京都大阪府".cut(to: width).displayWidth <= width)
    }
    let table = PlainTable.lines(["A", "B"], [["long one", "x"]], columns: 9)
    #expect(table == ["A        …".cut(to: 9), "long one…"])
  }

  @Test func theEnvironmentsSizeWinsWhereItIsOne() {
    let known = Terminal.Size(columns: 80, rows: 24)
    func size(_ columns: String?, _ known: Terminal.Size?) -> Terminal.Size? {
      Terminal.Size(known: known, environment: columns.map { ["COLUMNS": $0] } ?? [:])
    }
    #expect(size(nil, known) == known)
    #expect(size("40", known) == Terminal.Size(columns: 40, rows: 24))
    for odd in ["0", "-3", "", "wide", "99999999999999999999"] {
      #expect(size(odd, known) == known)
    }
    #expect(size("40", nil)?.columns == 40)
    #expect(size(nil, nil) == nil)
  }

  @Test func jsonIsExactAndOrdered() {
    let value = JSONValue.object([
      ("b", .number(0.1)), ("a", .integer(3)), ("n", .number(1e-12)), ("w", .number(100)),
      ("s", .string("q\" b\\ \n é")), ("z", .optional(nil)), ("t", .instant(0)),
      ("l", .array([.bool(true), .null])), ("i", .number(.infinity)),
    ])
    #expect(
      value.text
        == #"{"b":0.1,"a":3,"n":1e-12,"w":100,"s":"q\" b\\ \u000a é","z":null,"#
        + #""t":"1970-01-01T00:00:00.000Z","l":[true,null],"i":null}"#)
    #expect(JSONValue.lines([]) == ["[]"])
    #expect(JSONValue.lines([.integer(1), .integer(2)]) == ["[", "  1,", "  2", "]"])
  }

  @Test func picturesFitTheScreen() {
    #expect(WatchScreen.picture(["a", "b"], rows: 2) == "\u{1B}[Ha\u{1B}[K\r\nb\u{1B}[K\u{1B}[J")
    #expect(
      WatchScreen.picture(["a", "b", "c"], rows: 2).contains("... and 2 more lines"))
  }
}
