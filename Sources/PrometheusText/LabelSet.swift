/// The labels of a sample, as they stand in the text: escaped once, written as often as needed.
public struct LabelSet: Hashable, Sendable {
  /// `name="value",name="value"`, without braces.
  let bytes: [UInt8]

  /// No labels.
  public static let none = LabelSet([])

  /// Labels in the order given. Values may be any text: backslashes, quotes and line feeds are
  /// escaped, as the format says, and nothing else. Precondition: names are label names, each once.
  public init(_ labels: [(name: StaticString, value: String)]) {
    var bytes: [UInt8] = []
    var names: Set<String> = []
    for (name, value) in labels {
      let name = name.description
      precondition(MetricName.isLabel(name.utf8), "'\(name)' is not a label")
      precondition(names.insert(name).inserted, "the label '\(name)' twice")
      if !bytes.isEmpty { bytes.append(UInt8(ascii: ",")) }
      bytes.append(contentsOf: name.utf8)
      bytes.append(contentsOf: "=\"".utf8)
      Self.appendEscaped(value, to: &bytes)
      bytes.append(UInt8(ascii: "\""))
    }
    self.bytes = bytes
  }

  /// These labels and then `others`. Precondition: no label stands in both.
  public func adding(_ others: LabelSet) -> LabelSet {
    if bytes.isEmpty { return others }
    if others.bytes.isEmpty { return self }
    return LabelSet(bytes: bytes + [UInt8(ascii: ",")] + others.bytes)
  }

  private init(bytes: [UInt8]) { self.bytes = bytes }

  private static func appendEscaped(_ value: String, to bytes: inout [UInt8]) {
    for byte in value.utf8 {
      switch byte {
      case UInt8(ascii: "\\"): bytes.append(contentsOf: #"\\"#.utf8)
      case UInt8(ascii: "\""): bytes.append(contentsOf: #"\""#.utf8)
      case UInt8(ascii: "\n"): bytes.append(contentsOf: #"\n"#.utf8)
      default: bytes.append(byte)
      }
    }
  }
}

/// The names that the format takes for families and labels.
enum MetricName {
  /// `[a-zA-Z_:][a-zA-Z0-9_:]*`.
  static func isFamily(_ name: some Sequence<UInt8>) -> Bool {
    isName(name) { $0 == UInt8(ascii: ":") }
  }

  /// `[a-zA-Z_][a-zA-Z0-9_]*`; those that begin with two underscores are Prometheus' own.
  static func isLabel(_ name: some Sequence<UInt8>) -> Bool {
    isName(name) { _ in false } && !Array(name.prefix(2)).elementsEqual("__".utf8)
  }

  private static func isName(_ name: some Sequence<UInt8>, _ mayAlsoBe: (UInt8) -> Bool) -> Bool {
    var isEmpty = true
    for byte in name {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "_"):
        break
      case UInt8(ascii: "0")...UInt8(ascii: "9") where !isEmpty: break
      default: if !mayAlsoBe(byte) { return false }
      }
      isEmpty = false
    }
    return !isEmpty
  }
}
