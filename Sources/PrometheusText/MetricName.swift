/// What the format takes as the name of a family or a label.
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
