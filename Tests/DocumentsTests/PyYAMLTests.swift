import Testing

@testable import Documents

@Suite struct PyYAMLTests {
  /// The one difference: libyaml refuses a text that ends in a colon within `[...]`, which PyYAML
  /// takes for a key. Refusing is safe, the file is not read in another sense.
  private static let refusedHere = "[1::]"

  /// PyYAML itself types some thousand documents; this reader has to agree on each.
  @Test func documentsAreTypedAsPyYAMLTypesThem() throws {
    let seed = UInt32.random(in: 0 ... .max)
    print("PyYAML comparison, seed \(seed)")
    var counts: [String: Int] = [:]
    for answer in try PythonScript.lines(of: "pyyaml_types.py", ["\(seed)", "4000"]) {
      let yaml = try #require(answer["yaml"]?.text)
      let type = try #require(answer["type"]?.text)
      counts[type, default: 0] += 1
      guard yaml != Self.refusedHere else { continue }
      let node = try? DocumentNode.parse(yaml: yaml)
      #expect(node.map(Self.type) ?? "error" == type, "\(yaml.debugDescription), seed \(seed)")
      #expect(node?.pythonText == answer["text"]?.text, "\(yaml.debugDescription), seed \(seed)")
    }
    print("compared", counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" })
    #expect(counts.values.reduce(0, +) > 5_000)
  }

  private static func type(_ node: DocumentNode) -> String {
    switch node.value {
    case .null: "null"
    case .bool: "bool"
    case .integer: "int"
    case .float: "float"
    case .string: "str"
    case .timestamp(let timestamp): timestamp.time == nil ? "date" : "datetime"
    case .sequence: "list"
    case .mapping: "dict"
    }
  }
}
