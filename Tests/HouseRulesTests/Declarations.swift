/// The functions and types of a Swift file that swift-format has laid out: a declaration ends with
/// the brace that stands as far in as it began.
struct Declarations {
  struct Function: Equatable {
    /// `func`, `init` or `subscript`.
    var kind: String
    var name: String
    var line: Int
    var length: Int
    var parameters: Int
  }

  /// A type or an extension of one that is not inside another.
  struct TypePart: Equatable {
    var name: String
    var length: Int
  }

  private(set) var functions: [Function] = []
  private(set) var types: [TypePart] = []

  private let lines: [Substring]

  init(_ lines: [Substring]) {
    self.lines = lines
    let function =
      /\ *(?:@\w+(?:\([^)]*\))?\ |[a-z]+(?:\([a-z]+\))?\ )*?(func|init|subscript)\b[?!]?\ ?([^\ (<]*)/
    let type =
      /(?:@\w+\ |[a-z]+\ )*?(?:struct|class|enum|actor|extension|protocol)\ (?:@\w+\ )?(\w+)/
    for index in lines.indices {
      let line = lines[index]
      if let found = line.prefixMatch(of: function) {
        functions.append(
          Function(
            kind: String(found.1), name: found.2.isEmpty ? String(found.1) : String(found.2),
            line: index + 1, length: length(from: index),
            parameters: Self.parameters(in: lines[index...], after: found.range.upperBound)))
      }
      if line.first != " ", let found = line.prefixMatch(of: type) {
        types.append(TypePart(name: String(found.1), length: length(from: index)))
      }
    }
  }

  private func length(from start: Int) -> Int {
    let indent = lines[start].prefix { $0 == " " }.count
    if lines[start].hasSuffix("}") { return 1 }
    for index in lines.indices.dropFirst(start + 1) {
      let code = lines[index].drop { $0 == " " }
      let depth = lines[index].count - code.count
      guard let first = code.first, depth <= indent else { continue }
      if depth == indent, first == "}" { return index - start + 1 }
      // The rest of its head.
      if depth == indent, ")]{".contains(first) || code.hasPrefix("where ") { continue }
      return 1  // it has no body
    }
    return 1
  }

  /// Counts the commas of the first list in round brackets.
  private static func parameters(in lines: ArraySlice<Substring>, after start: Substring.Index)
    -> Int
  {
    guard let first = lines.first else { return 0 }
    let text = ([first[start...]] + lines.dropFirst().prefix(40)).joined(separator: "\n")
    var depth = 0
    var angles = 0
    var count = 0
    var hasAny = false
    var previous: Character = " "
    for character in text.drop(while: { $0 != "(" }) {
      switch character {
      case "(", "[", "{": depth += 1
      case ")", "]", "}":
        depth -= 1
        if depth == 0 { return hasAny ? count + 1 : 0 }
      case "<" where depth == 1: angles += 1
      case ">" where depth == 1 && previous != "-": angles -= 1
      case "," where depth == 1 && angles == 0: count += 1
      default: break
      }
      if depth > 0, !character.isWhitespace, !(depth == 1 && character == "(") { hasAny = true }
      previous = character
    }
    return 0
  }
}
