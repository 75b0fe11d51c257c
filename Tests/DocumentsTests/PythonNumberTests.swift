import Testing

@testable import Documents

@Suite struct PythonNumberTests {
  @Test(
    arguments: [
      ("3", 3), (" 5\n", 5), ("1_000", 1_000), ("1e-12", 1e-12), ("1E+3", 1_000), (".5", 0.5),
      ("5.", 5),
      ("+5", 5), ("-2.5e1", -25), ("\u{663}", 3), ("1_0.0_1e1_0", 100_100_000_000),
      ("inf", .infinity),
      ("-Infinity", -.infinity), ("1e999", .infinity), ("\u{A0}1\u{2003}", 1),
    ] as [(String, Double)])
  func textsAreNumbersAsToPython(text: String, number: Double) {
    #expect(PythonNumber.float(text) == number)
  }

  @Test(arguments: [
    "", " ", "0x10", "1__0", "_1", "1_", "1e_5", "1._5", "1_.5", "1,5", "true", ".", "e5", "1e",
    "1e+",
    "--1", "+-1", "1 2", "infi", "½", "一",
  ])
  func otherTextsAreNot(text: String) { #expect(PythonNumber.float(text) == nil) }

  @Test func nothingIsLostOfWholeNumbers() {
    #expect(
      PythonNumber.integer("ffffffffffffffffffffffff", radix: 16) == "79228162514264337593543950335"
    )
    #expect(PythonNumber.integer("-000", radix: 10) == "0")
    #expect(PythonNumber.integer("-0777", radix: 8) == "-511")
    #expect(PythonNumber.integer("1000000000000000000000000000000", radix: 2) == "1073741824")
    #expect(PythonNumber.integer("12a", radix: 10) == nil)
    #expect(PythonNumber.integer("", radix: 10) == nil)
  }
}
