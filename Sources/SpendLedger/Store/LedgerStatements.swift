import BudgetModel

/// The statements of the ledger, prepared once.
final class LedgerStatements {
  private let insertBatch: SQLiteStatement
  private let insertBudget: SQLiteStatement
  private let renameBudget: SQLiteStatement
  private let deleteBudget: SQLiteStatement
  private let insertOrigin: SQLiteStatement
  private let setBalance: SQLiteStatement
  private let getBalance: SQLiteStatement
  private let deleteBalance: SQLiteStatement
  private let setMeta: SQLiteStatement
  private let dropMeta: SQLiteStatement
  private let deleteBatches: SQLiteStatement
  private let getBatch: SQLiteStatement
  private let emptyBudgets: SQLiteStatement
  private let nextBudget: SQLiteStatement
  private let setFold: SQLiteStatement
  private let clearFolds: SQLiteStatement
  private let clearCosts: SQLiteStatement

  init(_ connection: borrowing SQLiteConnection) throws(SQLiteError) {
    insertBatch = try connection.prepare("INSERT INTO batch(id, digest, payload) VALUES(?, ?, ?)")
    insertBudget = try connection.prepare(
      "INSERT INTO budget(id, scope, name, window_text, seal) VALUES(?, ?, ?, ?, ?)")
    renameBudget = try connection.prepare(
      "UPDATE budget SET window_text = ?2, seal = ?3 WHERE id = ?1")
    deleteBudget = try connection.prepare("DELETE FROM budget WHERE id = ?")
    insertOrigin = try connection.prepare("INSERT INTO origin(id, name, seal) VALUES(?, ?, ?)")
    setBalance = try connection.prepare(
      """
      INSERT INTO window_spend(budget, start_ms, origin, end_ms, dollars, pico, seal)
      VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)
      ON CONFLICT DO UPDATE SET end_ms = ?4, dollars = ?5, pico = ?6, seal = ?7
      """)
    getBalance = try connection.prepare(
      """
      SELECT end_ms, dollars, pico, seal FROM window_spend
      WHERE budget = ? AND start_ms = ? AND origin = ?
      """)
    deleteBalance = try connection.prepare(
      "DELETE FROM window_spend WHERE budget = ? AND start_ms = ? AND origin = ?")
    setMeta = try connection.prepare(
      """
      INSERT INTO meta(name, value, seal) VALUES(?1, ?2, ?3)
      ON CONFLICT DO UPDATE SET value = ?2, seal = ?3
      """)
    dropMeta = try connection.prepare("DELETE FROM meta WHERE name = ?")
    deleteBatches = try connection.prepare("DELETE FROM batch WHERE id <= ?")
    getBatch = try connection.prepare("SELECT payload FROM batch WHERE id = ?")
    emptyBudgets = try connection.prepare(
      """
      SELECT id FROM budget WHERE id BETWEEN ? AND ?
        AND NOT EXISTS (SELECT 1 FROM window_spend WHERE window_spend.budget = budget.id)
        AND NOT EXISTS (SELECT 1 FROM fleet_window WHERE fleet_window.budget = budget.id)
        AND NOT EXISTS (SELECT 1 FROM held WHERE held.budget = budget.id)
      """)
    nextBudget = try connection.prepare("SELECT min(id) FROM budget WHERE id >= ?")
    setFold = try connection.prepare(
      """
      INSERT INTO fold(block, through, seal) VALUES(?1, ?2, ?3)
      ON CONFLICT DO UPDATE SET through = ?2, seal = ?3
      """)
    clearFolds = try connection.prepare("DELETE FROM fold")
    clearCosts = try connection.prepare(
      "DELETE FROM meta WHERE name >= 'cost:' AND name < 'cost;'")
  }

  func insertBatch(id: Int64, digest: [UInt8], _ payload: ByteText) throws(SQLiteError) {
    insertBatch.bind(id, at: 1)
    insertBatch.bind(digest, at: 2)
    payload.withBytes { insertBatch.bind($0, at: 3) }
    try insertBatch.run("write a batch")
  }

  func insertBudget(id: Int64, _ budget: StoredBudget) throws(SQLiteError) {
    insertBudget.bind(id, at: 1)
    insertBudget.bind(budget.scope, at: 2)
    insertBudget.bind(budget.name, at: 3)
    insertBudget.bind(budget.windowText, at: 4)
    insertBudget.bind(budget.seal(id: id), at: 5)
    try insertBudget.run("write a budget")
  }

  func renameBudget(id: Int64, _ budget: StoredBudget) throws(SQLiteError) {
    renameBudget.bind(id, at: 1)
    renameBudget.bind(budget.windowText, at: 2)
    renameBudget.bind(budget.seal(id: id), at: 3)
    try renameBudget.run("rename a budget")
  }

  func deleteBudget(id: Int64) throws(SQLiteError) {
    deleteBudget.bind(id, at: 1)
    try deleteBudget.run("join two budgets")
  }

  func insertOrigin(id: Int64, name: String) throws(SQLiteError) {
    insertOrigin.bind(id, at: 1)
    insertOrigin.bind(name, at: 2)
    insertOrigin.bind(RowSeal.origin(id, name), at: 3)
    try insertOrigin.run("write the origin")
  }

  func setBalance(_ row: BalanceRow) throws(SQLiteError) {
    let (dollars, pico) = (row.amount.wholeDollars, row.amount.restPico)
    setBalance.bind(row.key.budget, at: 1)
    setBalance.bind(row.key.start, at: 2)
    setBalance.bind(row.origin, at: 3)
    setBalance.bind(row.end, at: 4)
    setBalance.bind(dollars, at: 5)
    setBalance.bind(pico, at: 6)
    setBalance.bind(
      RowSeal.balance(row.key, end: row.end, origin: row.origin, dollars: dollars, pico: pico),
      at: 7)
    try setBalance.run("fold a balance")
  }

  /// An origin's balance in a window; nil if there is no such row.
  func balance(_ key: BalanceKey, origin: Int64) throws(SQLiteError) -> BalanceRow? {
    getBalance.bind(key.budget, at: 1)
    getBalance.bind(key.start, at: 2)
    getBalance.bind(origin, at: 3)
    guard try getBalance.step("read a balance") else {
      getBalance.reset()
      return nil
    }
    let (end, dollars, pico) = (
      getBalance.integer(0), getBalance.integer(1), getBalance.integer(2)
    )
    let seal = RowSeal.balance(key, end: end, origin: origin, dollars: dollars, pico: pico)
    let isIntact = seal == getBalance.integer(3)
    getBalance.reset()
    guard isIntact else { throw .damagedBalance }
    return BalanceRow(
      key: key, end: end, origin: origin, amount: .init(wholeDollars: dollars, restPico: pico))
  }

  func deleteBalance(_ key: BalanceKey, origin: Int64) throws(SQLiteError) {
    deleteBalance.bind(key.budget, at: 1)
    deleteBalance.bind(key.start, at: 2)
    deleteBalance.bind(origin, at: 3)
    try deleteBalance.run("delete a balance")
  }

  func setMeta(_ name: String, _ value: String) throws(SQLiteError) {
    setMeta.bind(name, at: 1)
    setMeta.bind(value, at: 2)
    setMeta.bind(RowSeal.meta(name, value), at: 3)
    try setMeta.run("write \(name)")
  }

  func deleteMeta(_ name: String) throws(SQLiteError) {
    dropMeta.bind(name, at: 1)
    try dropMeta.run("forget \(name)")
  }

  /// Deletes the batch with this id and all before it.
  func deleteBatches(through id: Int64) throws(SQLiteError) {
    deleteBatches.bind(id, at: 1)
    try deleteBatches.run("forget batches")
  }

  /// A batch's row; nil where it is not there.
  func batch(id: Int64) throws(SQLiteError) -> [UInt8]? {
    getBatch.bind(id, at: 1)
    let payload = try getBatch.step("read a batch") ? getBatch.blob(0) : nil
    getBatch.reset()
    return payload
  }

  /// The first budget's number from `number` on; nil: there is none.
  func budget(from number: Int64) throws(SQLiteError) -> Int64? {
    nextBudget.bind(number, at: 1)
    defer { nextBudget.reset() }
    guard try nextBudget.step("look for budgets"), !nextBudget.isNull(0) else { return nil }
    return nextBudget.integer(0)
  }

  /// Which of the budgets with these numbers have no window's row.
  func budgetsWithoutWindows(of budgets: ClosedRange<Int64>) throws(SQLiteError) -> [Int64] {
    emptyBudgets.bind(budgets.lowerBound, at: 1)
    emptyBudgets.bind(budgets.upperBound, at: 2)
    defer { emptyBudgets.reset() }
    var found: [Int64] = []
    while try emptyBudgets.step("look for budgets without windows") {
      found.append(emptyBudgets.integer(0))
    }
    return found
  }

  /// A block's balances hold the batches up to `batch`.
  func setFold(block: Int64, through batch: Int64) throws(SQLiteError) {
    setFold.bind(block, at: 1)
    setFold.bind(batch, at: 2)
    setFold.bind(RowSeal.fold(block, batch), at: 3)
    try setFold.run("fold a block")
  }

  func deleteCosts() throws(SQLiteError) { try clearCosts.run("forget what requests have cost") }

  func removeFolds() throws(SQLiteError) { try clearFolds.run("fold all blocks") }
}
