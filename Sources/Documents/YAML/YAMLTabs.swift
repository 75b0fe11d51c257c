/// Finds the tabs that PyYAML refuses and libyaml takes: those between tokens and in plain texts.
///
/// Tabs within quotes, blocks and comments are text to both. Cost: linear, once over a text that has
/// a tab at all.
struct YAMLTabs {
  /// The place of a tab.
  struct Place: Equatable {
    var line: Int
    var column: Int
  }

  private let text: ArraySlice<UInt8>
  private let hasTabs: Bool
  /// How far the text was walked, as an index and as a count of characters.
  private var index: Int
  private var character = 0
  private var line = 1
  private var column = 1
  private var isInComment = false
  private var follows: UInt8 = UInt8(ascii: "\n")

  init(_ text: ArraySlice<UInt8>) {
    self.text = text
    index = text.startIndex
    hasTabs = text.contains(UInt8(ascii: "\t"))
  }

  /// The first refused tab up to the scalar's end, where the scalar is the next one of the text.
  mutating func refused(upTo scalar: YAMLScalarEvent) -> Place? {
    guard hasTabs else { return nil }
    if let place = walk(to: scalar.place.lowerBound, holdsTabs: false) { return place }
    defer { isInComment = false }
    return walk(to: scalar.place.upperBound, holdsTabs: scalar.holdsTabs, isScalar: true)
  }

  /// The first refused tab behind the last scalar.
  mutating func refusedAtEnd() -> Place? {
    hasTabs ? walk(to: .max, holdsTabs: false) : nil
  }

  /// Walks up to the character `end`; comments begin only between scalars.
  private mutating func walk(to end: Int, holdsTabs: Bool, isScalar: Bool = false) -> Place? {
    while character < end, index < text.endIndex {
      let byte = text[index]
      switch byte {
      case UInt8(ascii: "\t") where !holdsTabs && !isInComment:
        return Place(line: line, column: column)
      case UInt8(ascii: "#") where !isScalar && Self.isSpace(follows): isInComment = true
      case UInt8(ascii: "\n"), UInt8(ascii: "\r"): isInComment = false
      default: break
      }
      index += 1
      follows = byte
      // Characters are counted, not bytes: so does the reader.
      if index < text.endIndex, text[index] & 0xC0 == 0x80 { continue }
      character += 1
      column = byte == UInt8(ascii: "\n") ? 1 : column + 1
      if byte == UInt8(ascii: "\n") { line += 1 }
    }
    return nil
  }

  private static func isSpace(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
  }
}
