import BudgetModel

/// A table of texts, every column as wide as its widest cell.
enum PlainTable {
  /// The header and a line a row, without blanks at the end; cells are escaped. With `columns`, the
  /// terminal's, what is too wide is cut: wrapped, the columns could not be read.
  static func lines(_ header: [String], _ rows: [[String]], columns: Int? = nil) -> [String] {
    let cells = [header] + rows.map { $0.map(\.printable) }
    let widths = header.indices.map { column in
      cells.reduce(0) { max($0, $1[column].displayWidth) }
    }
    return cells.map { row in
      var line = zip(row, widths).map { $0.padded(to: $1, isRight: false) }.joined(separator: "  ")
      while line.last == " " { line.removeLast() }
      return columns.map { line.cut(to: $0) } ?? line
    }
  }
}
