/// A table of texts, every column as wide as its widest cell.
enum PlainTable {
  /// The header and a line a row, without blanks at the end; cells are escaped.
  static func lines(_ header: [String], _ rows: [[String]]) -> [String] {
    let cells = [header] + rows.map { $0.map(\.escapedForTerminal) }
    let widths = header.indices.map { column in
      cells.reduce(0) { max($0, $1[column].displayWidth) }
    }
    return cells.map { row in
      var line = zip(row, widths).map { $0.padded(to: $1, isRight: false) }.joined(separator: "  ")
      while line.last == " " { line.removeLast() }
      return line
    }
  }
}
