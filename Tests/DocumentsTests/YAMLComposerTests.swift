import Testing

@testable import Documents

@Suite struct YAMLComposerTests {
  private func refusal(_ yaml: String) -> String? {
    do {
      _ = try DocumentNode.parse(yaml: yaml, file: "c.yaml")
      return nil
    } catch {
      return error.description
    }
  }

  @Test func syntaxErrorsNameLineAndColumn() {
    #expect(
      refusal("a: 1\nb: [1, 2\nc: 3\n")
        == "c.yaml:3:2: no valid YAML: did not find expected ',' or ']'")
    #expect(
      refusal("a:\n\tb: 1\n")
        == "c.yaml:2:1: no valid YAML: found character that cannot start any token")
    #expect(
      refusal("a: \u{7}\n") == "c.yaml:1:4: no valid YAML: control characters are not allowed")
  }

  @Test func onlyOneDocumentIsRead() {
    #expect(
      refusal("a: 1\n---\nb: 2\n")
        == "c.yaml:2:1: a second document starts here: a configuration is one document")
  }

  @Test func whatPyYAMLCannotConstructIsRefused() {
    #expect(
      refusal("a: !foo 1")
        == "c.yaml:1: the tag '!foo' is not read here: write the value without it")
    #expect(
      refusal("a: !!binary aGk=")
        == "c.yaml:1: the tag '!!binary' is not read here: write the value without it")
    #expect(refusal("a: !!int x") == "c.yaml:1: 'x' is not what its tag !!int says it is")
    #expect(
      refusal("a:\n- 2024-13-01")
        == "c.yaml:2: '2024-13-01' looks like a date but is not one: quote it")
    #expect(
      refusal("a: 0b_") == "c.yaml:1: '0b_' looks like a whole number but is not one: quote it")
    #expect(refusal("? [a]\n: 1") == "c.yaml:1: a list cannot be a key: use a text")
    #expect(refusal("a: <<") == "c.yaml:1: '<<' means something as a key only: quote it")
    #expect(refusal("a: =") == "c.yaml:1: '=' is not a value that PyYAML reads: quote it")
    #expect(
      refusal("<<: 1") == "c.yaml:1: << takes a mapping or a list of mappings, this is the number 1"
    )
  }

  @Test func aliasesAreBounded() {
    #expect(refusal("a: *x") == "c.yaml:1: the alias *x has no anchor before it")
    #expect(refusal("a: &x [*x]") == "c.yaml:1: the alias *x stands inside its own anchor")
    var laughs = "a0: &a0 [l, l, l, l, l, l, l, l, l, l]\n"
    for level in 1...20 {
      let aliases = [String](repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
      laughs += "a\(level): &a\(level) [\(aliases)]\n"
    }
    #expect(
      refusal(laughs) == "c.yaml:7: with *a5 the aliases stand for more than 10000000 values")
  }

  @Test func depthIsBounded() {
    let fits = String(repeating: "[", count: 256) + String(repeating: "]", count: 256)
    #expect(refusal(fits) == nil)
    #expect(
      refusal(String(repeating: "[", count: 100_000)) == "c.yaml:1: nested deeper than 256 levels")
    #expect(
      refusal(String(repeating: "- ", count: 10_000)) == "c.yaml:1: nested deeper than 256 levels")
  }

  @Test func onlyUTF8IsRead() {
    let error = #expect(throws: DocumentError.self) {
      try DocumentNode.parse(yaml: Array("a: 1\nb: ".utf8) + [0xFF, 0xFE], file: "c.yaml")
    }
    #expect(error?.description == "c.yaml:2:4: the file is not UTF-8: save it as UTF-8")
    #expect((try? DocumentNode.parse(yaml: [0xEF, 0xBB, 0xBF] + Array("a: 1".utf8)))?["a"] != nil)
  }

  @Test func linesAreThoseOfTheFile() throws {
    let node = try DocumentNode.parse(yaml: "# c\na:\n  b: 1\n  c:\n  - x\n  - y\n")
    #expect(node["a"]?["b"]?.line == 3)
    #expect(node["a"]?["c"]?.sequence?.map(\.line) == [5, 6])
  }
}
