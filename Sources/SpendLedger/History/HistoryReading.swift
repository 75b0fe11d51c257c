import BudgetModel

/// Reads what the windows of budgets held: rows of all lives, and memory's balances, which are newer.
struct HistoryReading {
  let store: LedgerStore
  /// This life.
  let origin: Int64
  let balances: Balances

  /// Balances that one question reads at most, unless one window has more: a window has one for each
  /// life of the node that charged it.
  private static let balancesRead = 2_048

  /// Each budget's newest windows; none of one that `number` does not know.
  func answers(
    to questions: [HistoryQuestion], number: (BudgetKey) -> Int64?
  ) -> Result<[[PastWindow]], LedgerError> {
    do throws(SQLiteError) {
      var answers: [[PastWindow]] = []
      for question in questions {
        var windows: [PastWindow] = []
        if let budget = number(question.key) { windows = try self.windows(question, of: budget) }
        answers.append(windows)
      }
      return .success(answers)
    } catch {
      return .failure(error.ledgerError(path: store.path))
    }
  }

  /// The newest windows of the budget with that number, the newest first.
  func windows(_ question: HistoryQuestion, of budget: Int64) throws(SQLiteError) -> [PastWindow] {
    guard question.count > 0 else { return [] }
    var found = try ownWindows(question, of: budget)
    let start = question.before?.unixMilliseconds ?? .max
    let fleet = try store.history.fleetRows(
      ofBudget: budget, before: start, count: question.count)
    for row in fleet where row.start >= found.completeFrom {
      guard let known = row.window(of: question.key) else { throw .damagedFleetWindow }
      found.add(start: row.start, end: row.end, .zero)
      found.windows[row.start]?.others = known.others
    }
    if found.windows.isEmpty { return [] }
    let limits = try notedLimits(question)
    return found.windows.sorted { $0.key > $1.key }.prefix(question.count).map { start, held in
      let limit = limits.row(at: held.end)
      return PastWindow(
        window: Window(
          start: Timestamp(unixMilliseconds: start), end: Timestamp(unixMilliseconds: held.end)),
        own: held.own, others: held.others, limit: limit.map { LimitInForce($0.limit) } ?? .unknown)
    }
  }

  /// The limits noted of a budget, the newest first.
  private struct NotedLimits {
    var own: [LimitRow] = []
    /// The pattern's, of a budget that a name has by one.
    var pattern: [LimitRow] = []

    /// The row that says what was in force then. A name has rows of its own only of what operators
    /// changed; the end of a change notes what the pattern gave it at that time, and from there on the
    /// pattern decides again.
    func row(at time: Int64) -> LimitRow? {
      func last(_ rows: [LimitRow], _ time: Int64) -> LimitRow? { rows.first { $0.since <= time } }
      guard let row = last(own, time) else { return last(pattern, time) }
      guard let given = last(pattern, row.since), given.limit == row.limit else { return row }
      return last(pattern, time)
    }
  }

  private func notedLimits(_ question: HistoryQuestion) throws(SQLiteError) -> NotedLimits {
    var limits = NotedLimits()
    do throws(SQLiteError) {
      limits.own = try store.limits.rows(of: question.key)
      if question.limitKey != question.key {
        limits.pattern = try store.limits.rows(of: question.limitKey)
      }
      return limits
    } catch {
      // Which one was in force when nobody can tell; the next start replaces the rows.
      guard error == .damagedLimit else { throw error }
      return NotedLimits()
    }
  }

  /// Windows by their start.
  private struct FoundWindows {
    struct Held {
      var end: Int64
      var own: PicoUSD
      var others: PicoUSD?
    }

    var windows: [Int64: Held] = [:]
    /// Windows that began before may lack balances that were not read.
    var completeFrom = Int64.min

    /// A window that was closed early has one row with an earlier end.
    mutating func add(start: Int64, end: Int64, _ amount: PicoUSD) {
      guard let known = windows[start] else {
        windows[start] = Held(end: end, own: amount)
        return
      }
      windows[start]?.end = min(known.end, end)
      windows[start]?.own = known.own + amount
    }
  }

  /// This node's own spend: the table's rows, and what memory has newer or alone.
  private func ownWindows(
    _ question: HistoryQuestion, of budget: Int64
  ) throws(SQLiteError) -> FoundWindows {
    let before = question.before?.unixMilliseconds ?? .max
    var found = FoundWindows()
    var (starts, last, read) = (0, Int64?.none, 0)
    try store.history.forEachBalance(ofBudget: budget, before: before) { row in
      if row.key.start != last {
        if starts == question.count { return false }
        if read >= Self.balancesRead, let last {
          found.completeFrom = last
          return false
        }
        starts += 1
        last = row.key.start
      }
      read += 1
      if row.origin != origin || balances.place(of: row.key) == nil {
        found.add(start: row.key.start, end: row.end, row.amount)
      }
      return true
    }
    for place in balances.places(ofBudget: budget) {
      let entry = balances.entries[place]
      // Not windows that no commit has opened.
      guard entry.key.start < before, entry.key.start >= found.completeFrom,
        entry.isKept || entry.isDirty || entry.amount > .zero
      else { continue }
      found.add(start: entry.key.start, end: entry.end, entry.amount)
    }
    return found
  }
}
