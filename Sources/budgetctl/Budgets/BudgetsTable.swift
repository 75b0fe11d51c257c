import BudgetClient
import BudgetModel

/// The aligned table of budgets of one scope, fitted to the terminal.
///
/// A table that is too wide shrinks in this order: the bars get short, names lose their middle, the
/// remaining amounts go, since limit and spend say the same. A line that is too wide even then is cut.
struct BudgetsTable {
  /// Whether to write colours for a terminal.
  var isColoured: Bool
  /// The columns there are; nil: as many as it takes.
  var columns: Int?
  /// The client's clock, to say how long until a window ends.
  var nowUnixMilliseconds: Int64

  private static let barWidths = [20, 10]
  private static let shortestName = 16
  private static let gap = 2

  private enum Column: CaseIterable {
    case name, spend, reserved, limit, remaining, bar, used, resets, runsOut

    var isRight: Bool {
      switch self {
      case .name, .bar, .resets, .runsOut: false
      case .spend, .reserved, .limit, .remaining, .used: true
      }
    }

    var title: String {
      switch self {
      case .name: ""
      case .spend: "SPEND"
      case .reserved: "RESERVED"
      case .limit: "LIMIT"
      case .remaining: "REMAINING"
      case .bar: "USED"
      case .used: ""
      case .resets: "RESETS IN"
      case .runsOut: "RUNS OUT IN"
      }
    }
  }

  /// The lines without a newline at the end; `title` heads the names' column.
  func lines(title: String, rows: [BudgetRow]) -> [String] {
    guard !rows.isEmpty else { return ["\(title): no budgets"] }
    var shown = Column.allCases
    if rows.allSatisfy({ $0.budget.reservedUSD == 0 }) { shown.removeAll { $0 == .reserved } }
    if rows.allSatisfy({ $0.runsOut(from: nowUnixMilliseconds).isEmpty }) {
      shown.removeAll { $0 == .runsOut }
    }
    var barWidth = Self.barWidths[0]
    var widths = widths(shown, title, rows, barWidth: barWidth)
    if let columns {
      for width in Self.barWidths.dropFirst() where total(widths) > columns {
        barWidth = width
        widths = self.widths(shown, title, rows, barWidth: barWidth)
      }
      fitName(&widths, columns)
      // Columns whose content the others tell as well go first.
      for column in [Column.remaining, .bar, .runsOut, .resets] where total(widths) > columns {
        shown.removeAll { $0 == column }
        widths = self.widths(shown, title, rows, barWidth: barWidth)
        fitName(&widths, columns)
      }
    }
    let header = shown.map { $0 == .name ? title.uppercased() : $0.title }
    return [cut(join(header, shown, widths))]
      + rows.map { row in
        let cells = shown.map { cell($0, row, barWidth: barWidth) }
        return coloured(cut(join(cells, shown, widths)), row)
      }
  }

  /// A line that is still too long is cut: wrapped, the columns could not be read.
  private func cut(_ line: String) -> String { columns.map { line.cut(to: $0) } ?? line }

  private func widths(
    _ shown: [Column], _ title: String, _ rows: [BudgetRow], barWidth: Int
  ) -> [Int] {
    shown.map { column in
      let header = column == .name ? title : column.title
      return rows.reduce(header.displayWidth) {
        max($0, cell(column, $1, barWidth: barWidth).displayWidth)
      }
    }
  }

  private func total(_ widths: [Int]) -> Int {
    widths.reduce(0, +) + Self.gap * (widths.count - 1)
  }

  private func fitName(_ widths: inout [Int], _ columns: Int) {
    let excess = total(widths) - columns
    guard excess > 0, widths[0] > Self.shortestName else { return }
    widths[0] = max(Self.shortestName, widths[0] - excess)
  }

  private func cell(_ column: Column, _ row: BudgetRow, barWidth: Int) -> String {
    let budget = row.budget
    switch column {
    case .name: return budget.name.printable
    case .spend: return HumanText.roundedMoney(budget.spendUSD)
    case .reserved: return HumanText.roundedMoney(budget.reservedUSD)
    case .limit:
      let known = budget.pattern == nil ? budget.limitUSD : budget.pattern?.limitUSD
      // A name that is frozen without a budget.
      if budget.timePeriod.isEmpty { return "-" }
      let limit = known.map { HumanText.money($0) } ?? "unlimited"
      let each = budget.pattern == nil ? "" : " each"
      return "\(limit)\(each) / \(budget.timePeriod.printable)"
    case .remaining: return budget.remainingUSD.map { HumanText.roundedMoney($0) } ?? "-"
    case .bar:
      // Without colours, this word is all there is to see.
      if budget.mode == .freeze { return "FROZEN" }
      if let names = budget.pattern { return names.live == 1 ? "1 name" : "\(names.live) names" }
      if budget.mode == .shadow, budget.isExhausted { return "would deny" }
      if budget.isExhausted { return "EXHAUSTED" }
      return row.fill.map { HumanText.bar(fill: $0, width: barWidth) } ?? ""
    case .used: return row.fill.map { HumanText.percent(fill: $0) } ?? ""
    case .resets:
      if budget.timePeriod.isEmpty { return "-" }
      return budget.resetsAtUnixMilliseconds.map {
        HumanText.duration(from: nowUnixMilliseconds, to: $0)
      } ?? "not begun"
    case .runsOut: return row.runsOut(from: nowUnixMilliseconds)
    }
  }

  private func join(_ cells: [String], _ shown: [Column], _ widths: [Int]) -> String {
    var line = ""
    for ((cell, column), width) in zip(zip(cells, shown), widths) {
      if !line.isEmpty { line += String(repeating: " ", count: Self.gap) }
      let text = column == .name ? cell.shortened(to: width) : cell
      line += text.padded(to: width, isRight: column.isRight)
    }
    while line.last == " " { line.removeLast() }
    return line
  }

  private func coloured(_ line: String, _ row: BudgetRow) -> String {
    guard isColoured else { return line }
    let denies = row.budget.isExhausted && row.budget.mode != .shadow
    if denies || row.budget.mode == .freeze { return "\u{1B}[31m\(line)\u{1B}[0m" }
    if let fill = row.fill, fill >= 0.8 { return "\u{1B}[33m\(line)\u{1B}[0m" }
    return line
  }
}
