import BudgetModel

/// The statements of what reservations keep back, prepared once. Reservations themselves have no rows:
/// only the sums of each budget, by their ends.
final class HeldStatements {
  private let insert: SQLiteStatement
  private let delete: SQLiteStatement
  private let all: SQLiteStatement
  private let deleteEnded: SQLiteStatement

  init(_ connection: borrowing SQLiteConnection) throws(SQLiteError) {
    insert = try connection.prepare(
      """
      INSERT INTO held(budget, until_s, ends_s, dollars, pico, seal) VALUES(?, ?, ?, ?, ?, ?)
      """)
    delete = try connection.prepare("DELETE FROM held WHERE budget = ?")
    all = try connection.prepare(
      """
      SELECT budget, until_s, ends_s, dollars, pico, seal FROM held
      ORDER BY budget, ends_s, until_s
      """)
    deleteEnded = try connection.prepare("DELETE FROM held WHERE ends_s <= ?")
  }

  private static func seal(_ budget: Int64, _ sum: HeldSum) -> Int64 {
    var seal = RowSeal(8)
    for value in [
      budget, sum.untilSeconds, sum.endsSeconds, sum.amount.wholeDollars, sum.amount.restPico,
    ] {
      seal.add(value)
    }
    return seal.value
  }

  /// These are all of the budget's sums from now on.
  func replace(_ sums: [HeldSum], ofBudget budget: Int64) throws(SQLiteError) {
    delete.bind(budget, at: 1)
    try delete.run("write what is reserved")
    for sum in sums {
      insert.bind(budget, at: 1)
      insert.bind(sum.untilSeconds, at: 2)
      insert.bind(sum.endsSeconds, at: 3)
      insert.bind(sum.amount.wholeDollars, at: 4)
      insert.bind(sum.amount.restPico, at: 5)
      insert.bind(Self.seal(budget, sum), at: 6)
      try insert.run("write what is reserved")
    }
  }

  /// The sums that have not ended, each budget's together, each checked.
  func sums(
    endingAfter seconds: Int64, _ budgets: [Int64: BudgetKey]
  ) throws(SQLiteError) -> [HeldBudget] {
    var found: [HeldBudget] = []
    var last: Int64?
    defer { all.reset() }
    while try all.step("read what is reserved") {
      let budget = all.integer(0)
      let sum = HeldSum(
        untilSeconds: all.integer(1), endsSeconds: all.integer(2),
        amount: PicoUSD(wholeDollars: all.integer(3), restPico: all.integer(4)))
      guard Self.seal(budget, sum) == all.integer(5), let key = budgets[budget] else {
        throw .damagedHold
      }
      guard sum.endsSeconds > seconds else { continue }
      if last == budget {
        found[found.count - 1].sums.append(sum)
      } else {
        found.append(HeldBudget(key: key, sums: [sum]))
      }
      last = budget
    }
    return found
  }

  func deleteEnded(by seconds: Int64) throws(SQLiteError) {
    deleteEnded.bind(seconds, at: 1)
    try deleteEnded.run("forget what was reserved")
  }

  /// The budget's rows go: it is joined with another one, whose holds are written anew.
  func deleteAll(ofBudget budget: Int64) throws(SQLiteError) {
    delete.bind(budget, at: 1)
    try delete.run("forget what was reserved")
  }
}
