import BudgetModel

/// A limit of a budget as its row has it: in force from then on.
struct LimitRow {
  var key: BudgetKey
  var since: Int64
  var limit: PicoUSD?

  /// A row has no negative amount, and none past what its column holds.
  init(key: BudgetKey, since: Int64, limit: PicoUSD?) {
    self.key = key
    self.since = since
    self.limit = limit.map { min(max($0, .zero), .maximumTotal) }
  }

  var seal: Int64 {
    var seal = RowSeal(7)
    seal.add(Int64(key.scope.rawValue))
    seal.add(key.name)
    seal.add(key.windowText)
    for value in [since, limit == nil ? 0 : 1, limit?.wholeDollars ?? 0, limit?.restPico ?? 0] {
      seal.add(value)
    }
    return seal.value
  }
}

/// The statements of limits as they were, prepared once.
final class LimitStatements {
  private let insert: SQLiteStatement
  private let get: SQLiteStatement
  private let all: SQLiteStatement
  private let delete: SQLiteStatement
  private let deleteOld: SQLiteStatement

  /// So many changes of one budget's limit are remembered.
  static let keptChanges = 256

  init(_ connection: borrowing SQLiteConnection) throws(SQLiteError) {
    insert = try connection.prepare(
      """
      INSERT INTO limit_change(scope, name, window_text, since_ms, limited, dollars, pico, seal)
      VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
      ON CONFLICT DO UPDATE SET limited = ?5, dollars = ?6, pico = ?7, seal = ?8
      """)
    get = try connection.prepare(
      """
      SELECT scope, name, window_text, since_ms, limited, dollars, pico, seal FROM limit_change
      WHERE scope = ? AND name = ? AND window_text = ? ORDER BY since_ms DESC LIMIT ?
      """)
    all = try connection.prepare(
      """
      SELECT scope, name, window_text, since_ms, limited, dollars, pico, seal FROM limit_change
      ORDER BY scope, name, window_text, since_ms
      """)
    delete = try connection.prepare(
      "DELETE FROM limit_change WHERE scope = ? AND name = ? AND window_text = ?")
    deleteOld = try connection.prepare(
      """
      DELETE FROM limit_change WHERE scope = ?1 AND name = ?2 AND window_text = ?3
        AND since_ms < (SELECT since_ms FROM limit_change
          WHERE scope = ?1 AND name = ?2 AND window_text = ?3
          ORDER BY since_ms DESC LIMIT 1 OFFSET ?4)
      """)
  }

  /// Writes a row; the budget's oldest one goes where it has too many.
  func add(_ row: LimitRow) throws(SQLiteError) {
    bind(row.key, insert)
    insert.bind(row.since, at: 4)
    insert.bind(row.limit == nil ? 0 : 1, at: 5)
    insert.bind(row.limit?.wholeDollars ?? 0, at: 6)
    insert.bind(row.limit?.restPico ?? 0, at: 7)
    insert.bind(row.seal, at: 8)
    try insert.run("note a limit")
    bind(row.key, deleteOld)
    deleteOld.bind(Int64(Self.keptChanges - 1), at: 4)
    try deleteOld.run("forget an old limit")
  }

  /// The newest limits of a budget, the newest first.
  func rows(of key: BudgetKey, count: Int = keptChanges) throws(SQLiteError) -> [LimitRow] {
    bind(key, get)
    get.bind(Int64(count), at: 4)
    defer { get.reset() }
    var rows: [LimitRow] = []
    while try get.step("read limits") { rows.append(try Self.row(get)) }
    return rows
  }

  /// The newest limit of each budget that has one noted, and the budgets of rows that have changed
  /// since they were written, as those rows name them.
  func newest() throws(SQLiteError) -> (rows: [BudgetKey: LimitRow], damaged: [StoredBudget]) {
    defer { all.reset() }
    var newest: [BudgetKey: LimitRow] = [:]
    var damaged: [StoredBudget] = []
    while try all.step("read limits") {
      do throws(SQLiteError) {
        let row = try Self.row(all)
        newest[row.key] = row
      } catch {
        guard error == .damagedLimit else { throw error }
        damaged.append(Self.budget(all))
      }
    }
    // Without one of its rows a budget would seem to have had another limit than it had.
    for key in damaged.compactMap(\.key) { newest[key] = nil }
    return (newest, damaged)
  }

  func deleteAll(of key: BudgetKey) throws(SQLiteError) { try deleteAll(of: StoredBudget(key)) }

  func deleteAll(of budget: StoredBudget) throws(SQLiteError) {
    bind(budget, delete)
    try delete.run("forget limits")
  }

  /// A budget goes by another key: so do its limits, unless that key has limits of its own.
  func rename(from old: BudgetKey, to new: BudgetKey) throws(SQLiteError) {
    do throws(SQLiteError) {
      let rows = try rows(of: old)
      if rows.isEmpty { return }
      if try self.rows(of: new, count: 1).isEmpty {
        for row in rows.reversed() {
          try add(LimitRow(key: new, since: row.since, limit: row.limit))
        }
      }
    } catch {
      guard error == .damagedLimit else { throw error }
      // Nothing is known of them any more: the next note of limits tells what is in force.
      try deleteAll(of: new)
    }
    try deleteAll(of: old)
  }

  private func bind(_ key: BudgetKey, _ statement: borrowing SQLiteStatement) {
    bind(StoredBudget(key), statement)
  }

  private func bind(_ budget: StoredBudget, _ statement: borrowing SQLiteStatement) {
    statement.bind(budget.scope, at: 1)
    statement.bind(budget.name, at: 2)
    statement.bind(budget.windowText, at: 3)
  }

  private static func budget(_ statement: borrowing SQLiteStatement) -> StoredBudget {
    StoredBudget(
      scope: statement.integer(0), name: statement.text(1), windowText: statement.text(2))
  }

  private static func row(_ statement: borrowing SQLiteStatement) throws(SQLiteError) -> LimitRow {
    let stored = budget(statement)
    let amount = PicoUSD(wholeDollars: statement.integer(5), restPico: statement.integer(6))
    guard let key = stored.key else { throw .damagedLimit }
    let row = LimitRow(
      key: key, since: statement.integer(3), limit: statement.integer(4) == 0 ? nil : amount)
    guard row.seal == statement.integer(7) else { throw .damagedLimit }
    return row
  }
}

/// Limits in force, to be noted.
struct LimitNotes: Sendable {
  let limits: [NotedLimit]
  /// Whether they are all that are in force: limits of budgets that nothing names any more go then.
  let isComplete: Bool
  let now: Timestamp

  /// The difference to the limits that were noted before.
  struct Changes {
    var rows: [LimitRow] = []
    var gone: [BudgetKey] = []
    /// Budgets whose rows have changed since they were written: they go, and the limit in force is
    /// noted anew.
    var damaged: [StoredBudget] = []

    var isEmpty: Bool { rows.isEmpty && gone.isEmpty && damaged.isEmpty }

    func write(to store: LedgerStore) throws(SQLiteError) {
      for budget in damaged { try store.limits.deleteAll(of: budget) }
      for row in rows { try store.limits.add(row) }
      for key in gone { try store.limits.deleteAll(of: key) }
    }
  }

  /// The pattern's limit that the budget has from now on: its entry is gone, or an operator's change of it.
  private static func given(_ key: BudgetKey, by patterns: [NotedLimit]) -> NotedLimit? {
    patterns.filter {
      $0.key.scope == key.scope && ExactText($0.key.windowText) == ExactText(key.windowText)
        && key.name.utf8.starts(with: $0.key.name.utf8.dropLast())
    }.max { $0.key.name.utf8.count < $1.key.name.utf8.count }
  }

  /// Limits of a budget without windows are forgotten as long after the last was noted as windows are
  /// kept.
  func changes(
    in known: LimitStatements, _ budgets: BudgetNumbers, _ settings: LedgerSettings
  ) throws(SQLiteError) -> Changes {
    var changes = Changes()
    var newest: [BudgetKey: LimitRow]?
    if isComplete { (newest, changes.damaged) = try known.newest() }
    for limit in limits {
      let row = LimitRow(key: limit.key, since: now.unixMilliseconds, limit: limit.limit)
      var last: LimitRow?
      if let newest {
        last = newest[limit.key]
      } else {
        do throws(SQLiteError) {
          // All are read: one that has changed makes the others worthless.
          last = try known.rows(of: limit.key).first
        } catch {
          guard error == .damagedLimit else { throw error }
          changes.damaged.append(StoredBudget(limit.key))
        }
      }
      if last == nil || last?.limit != row.limit { changes.rows.append(row) }
    }
    guard let newest else { return changes }
    let inForce = Set(limits.map(\.key))
    let patterns = limits.filter { $0.key.name.utf8.last == UInt8(ascii: "*") }
    for last in newest.values where !inForce.contains(last.key) && budgets[last.key] != nil {
      guard let given = Self.given(last.key, by: patterns), given.limit != last.limit else {
        continue
      }
      changes.rows.append(LimitRow(key: last.key, since: now.unixMilliseconds, limit: given.limit))
    }
    let kept = now.unixMilliseconds - settings.windowRetention.milliseconds
    changes.gone = newest.values.filter {
      $0.since < kept && !inForce.contains($0.key)
        && budgets[$0.key] == nil
    }.map(\.key)
    return changes
  }
}
