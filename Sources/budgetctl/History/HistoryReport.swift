import BudgetClient
import BudgetModel
import JSONWriting

/// A budget's windows, for people and for programs.
struct HistoryReport {
  let history: GetSpendHistoryResponse
  /// Whether there are more than were asked for.
  let isCut: Bool

  private static let barWidth = 20

  init(_ history: GetSpendHistoryResponse, isCut: Bool = false) {
    self.history = history
    self.isCut = isCut
  }

  /// The windows as one array.
  var json: [JSONValue] {
    history.windows.map { window in
      .object([
        ("start", .instant(window.startUnixMilliseconds)),
        ("end", .instant(window.endUnixMilliseconds)),
        ("spend_usd", .number(window.spendUSD)),
        ("own_usd", .number(window.ownUSD)),
        ("fleet", .bool(window.isOfFleet)),
        ("limit_usd", .optional(window.limitUSD)),
        ("limit_unknown", .bool(window.isLimitUnknown)),
        ("open", .bool(window.isOpen)),
        ("reset", .bool(window.wasReset)),
      ])
    }
  }

  /// A title, the table, and what is out of the ordinary.
  func lines(isColoured: Bool, columns: Int?, now: Int64) -> [String] {
    guard !history.windows.isEmpty else { return ["\(title): nothing was spent yet"] }
    let isFleet = history.windows.contains(where: \.isOfFleet)
    let greatest = history.windows.map(\.spendUSD).filter(\.isFinite).max() ?? 0
    let header = ["FROM (UTC)", "SPEND", "LIMIT", "USED", "", ""]
    let rows = history.windows.map { row($0, isFleet: isFleet, greatest: greatest, now: now) }
    let cells = Self.aligned([header] + rows)
    var table = PlainTable.lines(cells[0], Array(cells.dropFirst()), columns: columns)
    if isColoured {
      for (index, window) in history.windows.enumerated() {
        table[index + 1] = Self.coloured(table[index + 1], window)
      }
    }
    var lines = [title, ""] + table
    if isFleet, history.windows.contains(where: { !$0.isOfFleet }) {
      lines += ["", "* this node's own alone: it heard nothing of the fleet's"]
    }
    if isCut { lines += ["", "There are more: ask with a greater --limit."] }
    return lines.map { columns.map($0.cut(to:)) ?? $0 }
  }

  /// Amounts and parts of limits stand below each other, their last digits in line.
  private static func aligned(_ rows: [[String]]) -> [[String]] {
    var rows = rows
    for column in [1, 2, 4] {
      let width = rows.map { $0[column].displayWidth }.max() ?? 0
      for row in rows.indices {
        rows[row][column] = rows[row][column].padded(to: width, isRight: true)
      }
    }
    return rows
  }

  private var title: String {
    let name = history.scope == .total ? "" : " \(history.name.printable)"
    let zone = history.timeZone.isEmpty ? "" : " in \(history.timeZone.printable)"
    let scope = history.scope?.description ?? "budget"
    return "\(scope)\(name) per \(history.window.printable)\(zone)"
  }

  private func row(
    _ window: SpendWindow, isFleet: Bool, greatest: Double, now: Int64
  ) -> [String] {
    // The mark's place stays empty in the other rows: digits stay in line.
    let mark = isFleet ? window.isOfFleet ? "  " : " *" : ""
    let limit = window.limitUSD.map { HumanText.money($0) }
    // Without a limit a bar is a part of the greatest spend.
    let whole = window.limitUSD ?? greatest
    let fill = whole > 0 ? window.spendUSD / whole : window.limitUSD == nil ? 0 : 1
    var remarks: [String] = []
    if window.isOpen {
      remarks.append(
        "open, ends in \(HumanText.duration(from: now, to: window.endUnixMilliseconds))")
    }
    if window.wasReset { remarks.append("reset") }
    return [
      Self.instant(window.startUnixMilliseconds), HumanText.roundedMoney(window.spendUSD) + mark,
      limit ?? (window.isLimitUnknown ? "?" : "unlimited"),
      fill.isNaN ? "" : HumanText.bar(fill: fill, width: Self.barWidth),
      limit == nil || fill.isNaN ? "" : HumanText.percent(fill: fill),
      remarks.joined(separator: ", "),
    ]
  }

  /// `2026-11-26 00:00`, with seconds where they are not zero.
  private static func instant(_ unixMilliseconds: Int64) -> String {
    guard let instant = Timestamp(showable: unixMilliseconds) else { return "?" }
    let text = instant.iso8601
    let isWholeMinute = unixMilliseconds % 60_000 == 0
    return String(text.prefix(isWholeMinute ? 16 : 19)).replacing("T", with: " ")
  }

  private static func coloured(_ line: String, _ window: SpendWindow) -> String {
    guard let limit = window.limitUSD else { return line }
    if window.spendUSD >= limit { return "\u{1B}[31m\(line)\u{1B}[0m" }
    return window.spendUSD >= 0.8 * limit ? "\u{1B}[33m\(line)\u{1B}[0m" : line
  }
}
