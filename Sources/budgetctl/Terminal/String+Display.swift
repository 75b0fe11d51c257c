// Names come from servers and configs: they must neither steer the terminal nor break the columns.

extension String {
  /// How many columns of a terminal the text takes.
  var displayWidth: Int { reduce(0) { $0 + $1.displayWidth } }

  /// The text in at most `columns` columns, at least 1; what is too long loses its middle, since
  /// ids differ at either end.
  func shortened(to columns: Int) -> String {
    guard displayWidth > columns else { return self }
    let room = columns - 1
    var head = ""
    var headWidth = 0
    for character in self {
      guard headWidth + character.displayWidth <= (room + 1) / 2 else { break }
      head.append(character)
      headWidth += character.displayWidth
    }
    var tail: [Character] = []
    var tailWidth = 0
    for character in reversed() {
      guard headWidth + tailWidth + character.displayWidth <= room else { break }
      tail.append(character)
      tailWidth += character.displayWidth
    }
    return head + "…" + String(tail.reversed())
  }

  /// The text in at most `columns` columns; what is too long loses its end.
  func cut(to columns: Int) -> String {
    guard displayWidth > columns else { return self }
    var text = ""
    var width = 0
    for character in self {
      guard width + character.displayWidth < columns else { break }
      text.append(character)
      width += character.displayWidth
    }
    return columns > 0 ? text + "…" : ""
  }

  /// The text with blanks behind it, or before it, up to `columns` columns.
  func padded(to columns: Int, isRight: Bool) -> String {
    let blanks = String(repeating: " ", count: max(0, columns - displayWidth))
    return isRight ? blanks + self : self + blanks
  }
}

extension Character {
  /// 0, 1 or 2: most terminals show East Asian letters and emoji twice as wide.
  fileprivate var displayWidth: Int {
    guard let first = unicodeScalars.first else { return 0 }
    if unicodeScalars.contains(where: { $0.value == 0xFE0F || $0.properties.isEmojiPresentation }) {
      return 2
    }
    if first.isWide { return 2 }
    switch first.properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .format: return 0
    default: return 1
    }
  }
}

extension Unicode.Scalar {
  /// The blocks that Unicode calls wide or full-width.
  fileprivate var isWide: Bool {
    switch value {
    case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0x33FF, 0x3400...0x4DBF, 0x4E00...0x9FFF,
      0xA000...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE10...0xFE19,
      0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F900...0x1F9FF,
      0x20000...0x3FFFD:
      true
    default: false
    }
  }
}
