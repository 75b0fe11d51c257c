/// A value of a YAML or JSON document, with the line it starts on.
///
/// Typed as Python would type it: what a program in Python computes of a value, such as an id, can
/// then be computed here. Equality looks at the value, not at the line.
public struct DocumentNode: Sendable {
  /// The node's value.
  public var value: Value
  /// The line that the value starts on, from 1, within the reader's bound of 2³¹ lines.
  public var line: Int { Int(storedLine) }

  private let storedLine: Int32

  /// The types of values.
  public enum Value: Sendable {
    /// Nothing: `null`, `~`, an empty value.
    case null
    /// A truth value.
    case bool(Bool)
    /// A whole number of any size, as decimal digits with a `-` where it is negative.
    case integer(String)
    /// A number with a point or exponent; may be infinite or NaN in YAML.
    case float(Double)
    /// A text.
    case string(String)
    /// A date or an instant (YAML only). Indirect: it is rare, and would make every node large.
    indirect case timestamp(DocumentTimestamp)
    /// Values in their order.
    case sequence([DocumentNode])
    /// Keys and values in their order.
    case mapping(DocumentMapping)
  }

  /// Makes a node that starts on `line`.
  public init(_ value: Value, line: Int = 1) {
    self.value = value
    storedLine = Int32(clamping: line)
  }

  /// How deeply documents may nest. Deeper ones are refused, so that recursion over them is safe.
  public static let maximumDepth = 256
}

extension DocumentNode: Hashable {
  /// Whether both are the same value, wherever they stand.
  public static func == (left: DocumentNode, right: DocumentNode) -> Bool {
    left.value == right.value
  }

  /// Feeds the value, not the line.
  public func hash(into hasher: inout Hasher) { hasher.combine(value) }
}

extension DocumentNode.Value: Hashable {
  /// Whether both are the same value. Texts are compared by their bytes: to Swift two spellings of
  /// an accented letter are equal, to Python and Redis they are not.
  public static func == (left: Self, right: Self) -> Bool {
    switch (left, right) {
    case (.null, .null): true
    case (.bool(let left), .bool(let right)): left == right
    case (.integer(let left), .integer(let right)): left == right
    case (.float(let left), .float(let right)): left == right
    case (.string(let left), .string(let right)): left.hasSameBytes(as: right)
    case (.timestamp(let left), .timestamp(let right)): left == right
    case (.sequence(let left), .sequence(let right)): left == right
    case (.mapping(let left), .mapping(let right)): left == right
    default: false
    }
  }

  /// Feeds what equality looks at, of sequences and mappings their length only.
  public func hash(into hasher: inout Hasher) {
    switch self {
    case .null: hasher.combine(0)
    case .bool(let bool): hasher.combine(bool)
    case .integer(let digits): hasher.combine(digits)
    case .float(let number): hasher.combine(number)
    case .string(let text): hasher.combine(text)
    case .timestamp(let timestamp): hasher.combine(timestamp)
    case .sequence(let nodes): hasher.combine(nodes.count)
    case .mapping(let mapping): hasher.combine(mapping.entries.count)
    }
  }
}

extension String {
  /// Whether both texts are the same bytes. To Swift two spellings of an accented letter are equal.
  public func hasSameBytes(as other: String) -> Bool {
    // Equal to Swift is necessary, and quick; composed and decomposed letters are equal to it too.
    self == other && utf8.count == other.utf8.count
      && (utf8.allSatisfy { $0 < 0x80 } || utf8.elementsEqual(other.utf8))
  }
}

extension DocumentNode {
  /// Whether the node is nothing.
  public var isNull: Bool { value == .null }

  /// The text, where the node is one.
  public var text: String? {
    if case .string(let text) = value { text } else { nil }
  }

  /// The truth value, where the node is one.
  public var bool: Bool? {
    if case .bool(let bool) = value { bool } else { nil }
  }

  /// The nearest double, where the node is a number.
  public var number: Double? {
    switch value {
    case .integer(let digits): Double(digits)
    case .float(let number): number
    default: nil
    }
  }

  /// The values, where the node is a sequence.
  public var sequence: [DocumentNode]? {
    if case .sequence(let nodes) = value { nodes } else { nil }
  }

  /// The keys and values, where the node is a mapping.
  public var mapping: DocumentMapping? {
    if case .mapping(let mapping) = value { mapping } else { nil }
  }

  /// The value of the text key `key`, where the node is a mapping that has it. Linear in the number
  /// of keys.
  public subscript(key: String) -> DocumentNode? { mapping?[key] }
}
