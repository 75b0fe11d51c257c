import BudgetModel

/// The statements of what concerns the fleet, prepared once.
final class FleetStatements {
  private let set: SQLiteStatement
  private let get: SQLiteStatement
  private let all: SQLiteStatement
  private let ofBudget: SQLiteStatement
  private let delete: SQLiteStatement
  private let deleteBudget: SQLiteStatement
  private let balances: SQLiteStatement
  private let allBalances: SQLiteStatement

  init(_ connection: borrowing SQLiteConnection) throws(SQLiteError) {
    set = try connection.prepare(
      """
      INSERT INTO fleet_window(budget, start_ms, end_ms, total_dollars, total_pico,
        highest_dollars, highest_pico, confirmed, nodes, at_ms, seal)
      VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
      ON CONFLICT DO UPDATE SET end_ms = ?3, total_dollars = ?4, total_pico = ?5,
        highest_dollars = ?6, highest_pico = ?7, confirmed = ?8, nodes = ?9, at_ms = ?10, seal = ?11
      """)
    get = try connection.prepare(
      """
      SELECT budget, start_ms, end_ms, total_dollars, total_pico, highest_dollars, highest_pico,
        confirmed, nodes, at_ms, seal FROM fleet_window WHERE budget = ? AND start_ms = ?
      """)
    all = try connection.prepare(
      """
      SELECT budget, start_ms, end_ms, total_dollars, total_pico, highest_dollars, highest_pico,
        confirmed, nodes, at_ms, seal FROM fleet_window WHERE end_ms >= ?
      ORDER BY budget, start_ms
      """)
    ofBudget = try connection.prepare(
      """
      SELECT budget, start_ms, end_ms, total_dollars, total_pico, highest_dollars, highest_pico,
        confirmed, nodes, at_ms, seal FROM fleet_window WHERE budget = ? ORDER BY start_ms
      """)
    delete = try connection.prepare("DELETE FROM fleet_window WHERE budget = ? AND start_ms = ?")
    deleteBudget = try connection.prepare(
      "DELETE FROM fleet_window WHERE budget = ? AND end_ms >= ?")
    balances = try connection.prepare(
      """
      SELECT start_ms, origin, end_ms, dollars, pico, seal FROM window_spend
      WHERE budget = ? AND start_ms BETWEEN ? AND ? ORDER BY start_ms, origin
      """)
    allBalances = try connection.prepare(
      """
      SELECT start_ms, origin, end_ms, dollars, pico, seal, budget FROM window_spend
      WHERE end_ms >= ? ORDER BY budget, start_ms, origin
      """)
  }

  func set(_ row: FleetRow) throws(SQLiteError) {
    let numbers = [
      row.budget, row.start, row.end, row.total.wholeDollars, row.total.restPico,
      row.highest.wholeDollars, row.highest.restPico,
    ]
    for (index, number) in numbers.enumerated() { set.bind(number, at: Int32(index + 1)) }
    set.bind(row.confirmed, at: 8)
    set.bind(row.nodes, at: 9)
    set.bind(row.at, at: 10)
    set.bind(row.seal, at: 11)
    try set.run("keep a window of the fleet")
  }

  /// The row of one window; nil where there is none.
  func row(budget: Int64, start: Int64) throws(SQLiteError) -> FleetRow? {
    get.bind(budget, at: 1)
    get.bind(start, at: 2)
    defer { get.reset() }
    return try get.step("read a window of the fleet") ? Self.row(get) : nil
  }

  /// The rows of windows that end at `time` or later. Cost: a look at every row.
  func rows(endingFrom time: Int64) throws(SQLiteError) -> [FleetRow] {
    all.bind(time, at: 1)
    var rows: [FleetRow] = []
    defer { all.reset() }
    while try all.step("read the fleet's windows") { rows.append(try Self.row(all)) }
    return rows
  }

  /// The rows of one budget.
  func rows(ofBudget budget: Int64) throws(SQLiteError) -> [FleetRow] {
    ofBudget.bind(budget, at: 1)
    defer { ofBudget.reset() }
    var rows: [FleetRow] = []
    while try ofBudget.step("read the fleet's windows") { rows.append(try Self.row(ofBudget)) }
    return rows
  }

  static func row(_ statement: borrowing SQLiteStatement) throws(SQLiteError) -> FleetRow {
    let row = FleetRow(
      budget: statement.integer(0), start: statement.integer(1), end: statement.integer(2),
      total: PicoUSD(wholeDollars: statement.integer(3), restPico: statement.integer(4)),
      highest: PicoUSD(wholeDollars: statement.integer(5), restPico: statement.integer(6)),
      confirmed: statement.text(7), nodes: statement.integer(8), at: statement.integer(9))
    guard row.seal == statement.integer(10) else { throw .damagedFleetWindow }
    return row
  }

  func delete(budget: Int64, start: Int64) throws(SQLiteError) {
    delete.bind(budget, at: 1)
    delete.bind(start, at: 2)
    try delete.run("move a window")
  }

  /// Forgets a budget's windows that end at `time` or later.
  func deleteAll(ofBudget budget: Int64, endingFrom time: Int64) throws(SQLiteError) {
    deleteBudget.bind(budget, at: 1)
    deleteBudget.bind(time, at: 2)
    try deleteBudget.run("forget a budget's windows of the fleet")
  }

  /// Each origin's balance in the budget's windows that opened within `starts`, each checked.
  func balances(
    ofBudget budget: Int64, openedIn starts: ClosedRange<Int64>
  ) throws(SQLiteError) -> [BalanceRow] {
    balances.bind(budget, at: 1)
    balances.bind(starts.lowerBound, at: 2)
    balances.bind(starts.upperBound, at: 3)
    defer { balances.reset() }
    var rows: [BalanceRow] = []
    while try balances.step("read the balances") {
      rows.append(try Self.balance(balances, ofBudget: budget))
    }
    return rows
  }

  /// Calls `body` with each origin's balance in windows that end at `time` or later, each checked.
  /// Cost: a look at every row; one look for each budget would take ten times as long.
  func forEachBalance(
    endingFrom time: Int64, _ body: (BalanceRow) -> Void
  ) throws(SQLiteError) {
    allBalances.bind(time, at: 1)
    defer { allBalances.reset() }
    while try allBalances.step("read the balances") {
      body(try Self.balance(allBalances, ofBudget: allBalances.integer(6)))
    }
  }

  private static func balance(
    _ statement: borrowing SQLiteStatement, ofBudget budget: Int64
  ) throws(SQLiteError) -> BalanceRow {
    let key = BalanceKey(budget: budget, start: statement.integer(0))
    let (origin, end) = (statement.integer(1), statement.integer(2))
    let (dollars, pico) = (statement.integer(3), statement.integer(4))
    let seal = RowSeal.balance(key, end: end, origin: origin, dollars: dollars, pico: pico)
    guard seal == statement.integer(5) else { throw .damagedBalance }
    return BalanceRow(
      key: key, end: end, origin: origin,
      amount: PicoUSD(wholeDollars: dollars, restPico: pico))
  }
}
