import Testing

@testable import Documents

/// Lists of merges, which releases of PyYAML read otherwise. The comments are what 6.0.3 and 6.0.4
/// themselves answer; this reader does as 6.0.3.
@Suite struct MergeTests {
  @Test(arguments: [
    // {'aa': 1, 'cc': 4, 'bb': 2, 'd': 5} | {'aa': 3, 'bb': 2, 'cc': 4, 'd': 5}
    (
      "{<<: [{aa: 1, bb: 2}, {aa: 3, cc: 4}], d: 5}",
      "{'aa': 1, 'cc': 4, 'bb': 2, 'd': 5}", ["aa"]
    ),
    // {'bb': 2, 'aa': 7} | {'aa': 7, 'bb': 2}
    ("{<<: [{aa: 1}, {bb: 2}], aa: 7}", "{'bb': 2, 'aa': 7}", []),
    // {'a': 1, 'c': 4, 'b': 2, 'd': 5} | {'a': 1, 'b': 2, 'c': 4, 'd': 5}
    ("{<<: [{a: 1, b: 2}, {a: 3, c: 4}], d: 5}", "{'a': 1, 'c': 4, 'b': 2, 'd': 5}", []),
    // Both: {'a': 1, 'c': 3, 'b': 2}
    ("{<<: [{a: 1}, {a: 2, c: 3}], b: 2}", "{'a': 1, 'c': 3, 'b': 2}", nil),
    ("{<<: [{aa: 1}], bb: 2}", "{'aa': 1, 'bb': 2}", nil),
    ("{<<: {aa: 1}, bb: 2}", "{'aa': 1, 'bb': 2}", nil),
    ("{<<: [{aa: 1}, {aa: 1}], bb: 2}", "{'aa': 1, 'bb': 2}", nil),
  ]) func whatReleasesReadOtherwiseIsKnown(yaml: String, text: String, keys: [String]?) throws {
    let node = try DocumentNode.parse(yaml: yaml)
    #expect(node.pythonText == text)
    #expect(node.mapping?.dependence?.keys.map(\.text) == keys)
    #expect(node.dependsOnPyYAML == (keys != nil))
  }

  @Test func aliasesAreOnePairHoweverOftenTheyAreMerged() throws {
    let anchors = "x: &x {aa: 1, bb: 2}\ny: &y {aa: 3, cc: 4}\n"
    // {'aa': 1, …} | {'aa': 3, …}; then both the same.
    let list = try DocumentNode.parse(yaml: anchors + "z: {<<: [*x, *y, *x]}\n")
    #expect(list["z"]?["aa"]?.number == 1)
    #expect(list["z"]?.mapping?.dependence?.keys.map(\.text) == ["aa"])
    let pair = try DocumentNode.parse(yaml: anchors + "z: {<<: *x, <<: *y}\n")
    #expect(pair["z"]?.pythonText == "{'aa': 3, 'bb': 2, 'cc': 4}")
    #expect(pair["z"]?.mapping?.dependence == nil)
    // A mapping also depends on all that a mapping it merges depends on.
    let nested = try DocumentNode.parse(
      yaml: "x: &x {<<: [{aa: 1}, {bb: 2}]}\ny: {<<: *x, cc: 3}\n")
    #expect(nested["y"]?.mapping?.dependence != nil)
  }
}
