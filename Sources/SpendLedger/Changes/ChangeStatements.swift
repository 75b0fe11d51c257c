public import BudgetModel

/// The statements of operators' changes and of the audit, prepared once.
final class ChangeStatements {
  private let put: SQLiteStatement
  private let remove: SQLiteStatement
  private let all: SQLiteStatement
  private let append: SQLiteStatement
  private let forgetOld: SQLiteStatement
  private let forgetMany: SQLiteStatement
  private let page: SQLiteStatement

  init(_ connection: borrowing SQLiteConnection) throws(SQLiteError) {
    put = try connection.prepare(
      """
      INSERT INTO policy_change(scope, name, window_text, version_ms, node, state, seal)
      VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)
      ON CONFLICT DO UPDATE SET version_ms = ?4, node = ?5, state = ?6, seal = ?7
      """)
    remove = try connection.prepare(
      "DELETE FROM policy_change WHERE scope = ? AND name = ? AND window_text = ?")
    all = try connection.prepare(
      "SELECT scope, name, window_text, version_ms, node, state, seal FROM policy_change")
    append = try connection.prepare("INSERT INTO audit(at_ms, entry, seal) VALUES(?, ?, ?)")
    forgetOld = try connection.prepare(
      "DELETE FROM audit WHERE id <= ?1 AND at_ms < ?2")
    forgetMany = try connection.prepare(
      "DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?")
    page = try connection.prepare(
      """
      SELECT id, at_ms, entry, seal FROM audit WHERE id < ?1 AND at_ms >= ?2
      ORDER BY id DESC LIMIT ?3
      """)
  }

  func put(_ change: BudgetChange) throws(SQLiteError) {
    let state = Array(change.text.utf8)
    bind(change.register, put)
    put.bind(change.version.milliseconds, at: 4)
    put.bind(change.version.node, at: 5)
    put.bind(state, at: 6)
    put.bind(
      Self.seal(Self.code(change.register), change.version.milliseconds, change.text), at: 7)
    try put.run("keep a change")
  }

  func remove(_ register: BudgetChange.Register) throws(SQLiteError) {
    bind(register, remove)
    try remove.run("forget a change")
  }

  /// Every change, each checked. A row that is as it was written and that this release cannot read
  /// stays and has no effect: another release may read it, and everything else is to be had.
  func changes() throws(SQLiteError) -> [BudgetChange] {
    defer { all.reset() }
    var changes: [BudgetChange] = []
    while try all.step("read the changes") {
      let text = String(decoding: all.blob(5), as: UTF8.self)
      guard Self.seal(all.integer(0), all.integer(3), text) == all.integer(6) else {
        throw .damagedChange
      }
      guard let change = BudgetChange(text: text) else { continue }
      guard Self.code(change.register) == all.integer(0),
        change.register.target.name == all.text(1),
        change.register.target.windowText == all.text(2),
        change.version.milliseconds == all.integer(3), change.version.node == all.text(4)
      else { throw .damagedChange }
      changes.append(change)
    }
    return changes
  }

  func append(_ entry: AuditEntry) throws(SQLiteError) {
    let text = entry.text
    append.bind(entry.at.unixMilliseconds, at: 1)
    append.bind(Array(text.utf8), at: 2)
    append.bind(Self.seal(entry.at, text), at: 3)
    try append.run("write the audit")
  }

  /// Forgets what was written before `time`, and the oldest rows where there are more than `most`.
  func forgetAudit(before time: Int64, keeping most: Int) throws(SQLiteError) {
    forgetOld.bind(.max, at: 1)
    forgetOld.bind(time, at: 2)
    try forgetOld.run("forget old rows of the audit")
    forgetMany.bind(Int64(most), at: 1)
    try forgetMany.run("bound the audit")
  }

  /// The newest rows before `id` that were written at `since` or later, the newest first. A row that
  /// has changed since it was written says so in its place.
  func audit(before id: Int64, since: Int64, count: Int) throws(SQLiteError) -> [AuditRow] {
    page.bind(id, at: 1)
    page.bind(since, at: 2)
    page.bind(Int64(count), at: 3)
    defer { page.reset() }
    var rows: [AuditRow] = []
    while try page.step("read the audit") {
      let (id, time) = (page.integer(0), Timestamp(unixMilliseconds: page.integer(1)))
      let text = String(decoding: page.blob(2), as: UTF8.self)
      var entry = AuditEntry(text: text, at: time)
      if Self.seal(time, text) != page.integer(3) { entry = nil }
      rows.append(AuditRow(id: id, entry: entry))
    }
    return rows
  }

  private func bind(
    _ register: BudgetChange.Register, _ statement: borrowing SQLiteStatement
  ) {
    statement.bind(Self.code(register), at: 1)
    statement.bind(register.target.name, at: 2)
    statement.bind(register.target.windowText, at: 3)
  }

  /// The column `scope` tells the matter too: a budget has a row for each.
  private static func code(_ register: BudgetChange.Register) -> Int64 {
    Int64(register.matter.rawValue) << 4 | Int64(register.target.scope.rawValue)
  }

  private static func seal(_ code: Int64, _ milliseconds: Int64, _ text: String) -> Int64 {
    var seal = RowSeal(8)
    seal.add(code)
    seal.add(milliseconds)
    seal.add(text)
    return seal.value
  }

  private static func seal(_ time: Timestamp, _ text: String) -> Int64 {
    var seal = RowSeal(9)
    seal.add(time.unixMilliseconds)
    seal.add(text)
    return seal.value
  }
}

/// A row of the audit.
public struct AuditRow: Hashable, Sendable {
  /// Its number: later rows have higher ones.
  public var id: Int64
  /// The line; nil: the row has changed since it was written.
  public var entry: AuditEntry?
}

/// An alert that was told: no start tells it again.
public struct KeptAlert: Hashable, Sendable {
  /// Its id, hexadecimal digits.
  public var id: String
  /// The same, whatever the limit is.
  public var family: String
  /// Nobody can see its window any more from then on.
  public var until: Timestamp

  /// Makes a row.
  public init(id: String, family: String, until: Timestamp) {
    self.id = id
    self.family = family
    self.until = until
  }
}

/// Operators' changes, lines of the audit and alerts that are kept in one transaction.
public struct ChangeNotes: Equatable, Sendable {
  /// The changes, each in place of what its register held.
  public var changes: [BudgetChange] = []
  /// Registers that hold nothing any more.
  public var forgotten: [BudgetChange.Register] = []
  /// Lines of the audit.
  public var audit: [AuditEntry] = []
  /// Alerts that were told.
  public var alerts: [KeptAlert] = []
  /// Ids of alerts that are of no use any more.
  public var endedAlerts: [String] = []

  /// Changes with the lines that tell of them.
  public init(_ changes: [BudgetChange] = [], _ audit: [AuditEntry] = []) {
    self.changes = changes
    self.audit = audit
  }

  /// The audit is kept as long as windows are, but never more lines than this.
  static let auditBound = 100_000
  static let auditMilliseconds: Int64 = 35 * 86_400_000

  func write(to store: LedgerStore, at now: Timestamp) throws(SQLiteError) {
    for change in changes { try store.changes.put(change) }
    for register in forgotten { try store.changes.remove(register) }
    for entry in audit { try store.changes.append(entry) }
    for alert in alerts {
      try store.statements.setMeta(LedgerMeta.name(of: alert), LedgerMeta.text(alert))
    }
    for id in endedAlerts { try store.statements.deleteMeta(LedgerMeta.Name.alert + id) }
    guard !audit.isEmpty else { return }
    try store.changes.forgetAudit(
      before: now.unixMilliseconds - Self.auditMilliseconds, keeping: Self.auditBound)
  }
}
