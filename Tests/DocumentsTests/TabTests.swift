import Testing

@testable import Documents

/// Tabs: PyYAML refuses those that libyaml takes for blanks.
@Suite struct TabTests {
  private func place(_ yaml: String) -> String? {
    do throws(DocumentError) {
      _ = try DocumentNode.parse(yaml: yaml, file: "c")
      return nil
    } catch {
      return error.problems.first.map { "\($0.line):\($0.column ?? 0)" }
    }
  }

  // Each as PyYAML 6.0.3 answers.
  @Test(arguments: [
    ("a:\t1", "1:3"), ("a: 1\t", "1:5"), ("a: 'x\ty'\t", "1:9"), ("x: [1,\t2]", "1:7"),
    ("\t\na: 1", "1:1"), ("a: b\tc", "1:5"), ("a: 1\nb:\n  c: 2 \t# d", "3:8"),
    ("a: é\t", "1:5"), ("a: 1 # c\n\t", "2:1"), ("{\n\t\"a\": 1}", "2:1"),
    ("a: &x\t1", "1:6"), ("# é\tc\na: \"\\\n  b\"\nc: d\t", "4:5"),
  ]) func isRefusedBetweenTokens(yaml: String, expected: String) {
    #expect(place(yaml) == expected)
  }

  @Test(arguments: [
    "a: 'x\ty'", "a: \"x\ty\"", "a: |\n  x\ty\n  \tz\n", "a: >\n  x\ty\n", "a: 1 #\tx",
    "#\tx\na: 1",
    "a: 'b # \t'", "a: 'x\n \t y'", "- 'é\t'\n# é\t\n- b",
  ]) func isTextWithinQuotesBlocksAndComments(yaml: String) {
    #expect(place(yaml) == nil)
  }
}
