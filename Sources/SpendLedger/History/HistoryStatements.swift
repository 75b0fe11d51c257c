import BudgetModel

/// The statements that read and prune what was, prepared once.
final class HistoryStatements {
  private let balances: SQLiteStatement
  private let fleet: SQLiteStatement
  private let oldestBalance: SQLiteStatement
  private let oldestFleet: SQLiteStatement
  private let nthBalance: SQLiteStatement
  private let nthFleet: SQLiteStatement
  private let pruneBalances: SQLiteStatement
  private let pruneFleet: SQLiteStatement
  private let blockBudgets: SQLiteStatement

  init(_ connection: borrowing SQLiteConnection) throws(SQLiteError) {
    balances = try connection.prepare(
      """
      SELECT start_ms, origin, end_ms, dollars, pico, seal FROM window_spend
      WHERE budget = ? AND start_ms < ? ORDER BY start_ms DESC, origin DESC
      """)
    fleet = try connection.prepare(
      """
      SELECT budget, start_ms, end_ms, total_dollars, total_pico, highest_dollars, highest_pico,
        confirmed, nodes, at_ms, seal FROM fleet_window
      WHERE budget = ? AND start_ms < ? ORDER BY start_ms DESC LIMIT ?
      """)
    oldestBalance = try connection.prepare(
      "SELECT start_ms, end_ms FROM window_spend WHERE budget = ? ORDER BY start_ms LIMIT 1")
    oldestFleet = try connection.prepare(
      "SELECT start_ms, end_ms FROM fleet_window WHERE budget = ? ORDER BY start_ms LIMIT 1")
    nthBalance = try connection.prepare(
      """
      SELECT start_ms FROM window_spend WHERE budget = ?
      GROUP BY start_ms ORDER BY start_ms DESC LIMIT 1 OFFSET ?
      """)
    nthFleet = try connection.prepare(
      """
      SELECT start_ms FROM fleet_window WHERE budget = ? ORDER BY start_ms DESC LIMIT 1 OFFSET ?
      """)
    pruneBalances = try connection.prepare(
      "DELETE FROM window_spend WHERE budget = ? AND end_ms < ? AND start_ms < ?")
    pruneFleet = try connection.prepare(
      "DELETE FROM fleet_window WHERE budget = ? AND end_ms < ? AND start_ms < ?")
    blockBudgets = try connection.prepare(
      "SELECT id, scope, name, window_text, seal FROM budget WHERE id BETWEEN ? AND ? ORDER BY id")
  }

  /// Calls `body` with each origin's balance in the budget's windows that began before `start`, the
  /// newest first, each checked, until it says that it has enough.
  func forEachBalance(
    ofBudget budget: Int64, before start: Int64, _ body: (BalanceRow) -> Bool
  ) throws(SQLiteError) {
    balances.bind(budget, at: 1)
    balances.bind(start, at: 2)
    defer { balances.reset() }
    while try balances.step("read the balances") {
      let key = BalanceKey(budget: budget, start: balances.integer(0))
      let (origin, end) = (balances.integer(1), balances.integer(2))
      let (dollars, pico) = (balances.integer(3), balances.integer(4))
      let seal = RowSeal.balance(key, end: end, origin: origin, dollars: dollars, pico: pico)
      guard seal == balances.integer(5) else { throw .damagedBalance }
      let row = BalanceRow(
        key: key, end: end, origin: origin, amount: PicoUSD(wholeDollars: dollars, restPico: pico))
      guard body(row) else { return }
    }
  }

  /// The newest `count` of the fleet's windows of the budget that began before `start`.
  func fleetRows(
    ofBudget budget: Int64, before start: Int64, count: Int
  ) throws(SQLiteError) -> [FleetRow] {
    fleet.bind(budget, at: 1)
    fleet.bind(start, at: 2)
    fleet.bind(Int64(count), at: 3)
    defer { fleet.reset() }
    var rows: [FleetRow] = []
    while try fleet.step("read the fleet's windows") { rows.append(try FleetStatements.row(fleet)) }
    return rows
  }

  // MARK: - Pruning

  /// The budgets with these numbers, by their rows.
  func budgets(_ numbers: ClosedRange<Int64>) throws(SQLiteError) -> [(id: Int64, key: BudgetKey)] {
    blockBudgets.bind(numbers.lowerBound, at: 1)
    blockBudgets.bind(numbers.upperBound, at: 2)
    defer { blockBudgets.reset() }
    var found: [(id: Int64, key: BudgetKey)] = []
    while try blockBudgets.step("read the budgets") {
      let id = blockBudgets.integer(0)
      let budget = StoredBudget(
        scope: blockBudgets.integer(1), name: blockBudgets.text(2),
        windowText: blockBudgets.text(3))
      guard budget.seal(id: id) == blockBudgets.integer(4), let key = budget.key else {
        throw .unreadable("budget \(id) has changed")
      }
      found.append((id, key))
    }
    return found
  }

  /// The oldest windows of a budget that have rows: of this node's spend, and of the fleet.
  func oldest(ofBudget budget: Int64) throws(SQLiteError) -> [(start: Int64, end: Int64)] {
    var found: [(start: Int64, end: Int64)] = []
    if let row = try Self.oldest(oldestBalance, budget) { found.append(row) }
    if let row = try Self.oldest(oldestFleet, budget) { found.append(row) }
    return found
  }

  private static func oldest(
    _ statement: borrowing SQLiteStatement, _ budget: Int64
  ) throws(SQLiteError) -> (start: Int64, end: Int64)? {
    statement.bind(budget, at: 1)
    defer { statement.reset() }
    guard try statement.step("look for old windows") else { return nil }
    return (statement.integer(0), statement.integer(1))
  }

  /// The start of a window at which the budget has at least `count` windows, that one among them;
  /// nil: it may have fewer.
  func start(ofBudget budget: Int64, leaving count: Int) throws(SQLiteError) -> Int64? {
    var found: Int64?
    if let start = try Self.nth(nthBalance, budget, count) { found = start }
    if let start = try Self.nth(nthFleet, budget, count) { found = max(found ?? start, start) }
    return found
  }

  private static func nth(
    _ statement: borrowing SQLiteStatement, _ budget: Int64, _ count: Int
  ) throws(SQLiteError) -> Int64? {
    statement.bind(budget, at: 1)
    statement.bind(Int64(count - 1), at: 2)
    defer { statement.reset() }
    return try statement.step("count windows") ? statement.integer(0) : nil
  }

  /// The windows of these budgets that nothing keeps any more: by the client's word on each budget.
  func old(
    _ numbers: ClosedRange<Int64>, _ settings: LedgerSettings, _ client: (any LedgerClient)?,
    at now: Timestamp
  ) throws(SQLiteError) -> [OldWindows] {
    var candidates: [(id: Int64, key: BudgetKey, oldest: [(start: Int64, end: Int64)])] = []
    let recent = now.unixMilliseconds - WindowRetention.shortest(settings)
    for (id, key) in try budgets(numbers) {
      let oldest = try oldest(ofBudget: id)
      if oldest.contains(where: { $0.end < recent }) { candidates.append((id, key, oldest)) }
    }
    guard let client, !candidates.isEmpty else { return [] }
    var old: [OldWindows] = []
    for (candidate, place) in zip(candidates, client.places(of: candidates.map(\.key))) {
      let retention = WindowRetention(
        place, windowText: candidate.key.windowText, settings, at: now)
      guard candidate.oldest.contains(where: { $0.end < retention.ended }) else { continue }
      var windows = OldWindows(budget: candidate.id, ended: retention.ended, before: .max)
      if retention.kept > 0 {
        windows.before = try start(ofBudget: candidate.id, leaving: retention.kept) ?? .min
      }
      let isOld = { (oldest: (start: Int64, end: Int64)) in
        oldest.end < windows.ended && oldest.start < windows.before
      }
      if candidate.oldest.contains(where: isOld) { old.append(windows) }
    }
    return old
  }

  /// Removes windows that are over.
  func prune(_ old: OldWindows) throws(SQLiteError) {
    pruneBalances.bind(old.budget, at: 1)
    pruneBalances.bind(old.ended, at: 2)
    pruneBalances.bind(old.before, at: 3)
    try pruneBalances.run("prune windows")
    pruneFleet.bind(old.budget, at: 1)
    pruneFleet.bind(old.ended, at: 2)
    pruneFleet.bind(old.before, at: 3)
    try pruneFleet.run("prune the fleet's windows")
  }
}

/// The windows of one budget that are to go.
struct OldWindows {
  var budget: Int64
  /// They ended before this,
  var ended: Int64
  /// and began before this.
  var before: Int64
}
