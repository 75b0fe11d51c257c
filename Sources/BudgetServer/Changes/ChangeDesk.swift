import BudgetEngine
import BudgetModel
import BudgetWire
import Dispatch
import Locks
import Logging
import SpendLedger
import TCPTransport

/// Makes operators' changes: one after the other, in the ledger first, then in force, then
/// answered.
///
/// All of it is done on a queue of its own: a lane only brings the order, and nothing waits for it.
final class ChangeDesk: Sendable {
  struct State {
    /// Counts changes of the table.
    var edition: UInt64 = 0
    var table = ChangeTable()
    /// The start of the window that the last reset of each budget began.
    var resets: [BudgetKey: Timestamp] = [:]
    /// Until when ends of changes have been looked for.
    var lookedAt: Timestamp
    var forgottenAt: Timestamp
    /// How many orders wait.
    var waiting = 0
  }

  let engine: BudgetEngine
  let recorder: LedgerRecorder
  let time: any TimeSource
  let audit: AuditLog
  /// This node's name in versions.
  let node: String
  /// Whether other nodes are told.
  let isInFleet: Bool
  private let queue = DispatchQueue(label: "budgetd.changes", qos: .userInitiated)
  private let state: Locked<State>
  private let reloading = Locked<Reload?>(nil)
  private let listener = Hook<Void>()

  /// Reads the configuration again for somebody.
  typealias Reload =
    @Sendable (ChangeAuthor) -> Result<ReloadConfigResponse, ServiceRefusal>

  /// A misspelt name is held against so many at most.
  private static let namesCompared = 10_000
  /// More orders do not wait.
  static let waitingBound = 256
  /// Ends of changes are looked for at least so often: fleet time may be set.
  private static let longestWait: Int64 = 1_000
  private static let forgetInterval: Int64 = 3_600_000

  var ledger: SpendLedger { recorder.ledger }

  /// Takes up the changes that the ledger has. `engine` has no configuration yet, so that the first one
  /// comes in force with them.
  init(
    _ recorder: LedgerRecorder, _ time: any TimeSource, audit: AuditLog, node: String,
    isInFleet: Bool = false, restoring changes: [BudgetChange]
  ) {
    self.isInFleet = isInFleet
    self.recorder = recorder
    engine = recorder.engine
    self.time = time
    self.audit = audit
    self.node = node
    let now = time.now()
    let table = ChangeTable(changes)
    var first = State(table: table, lookedAt: now, forgottenAt: now)
    for change in table.all { first.note(change) }
    state = Locked(first)
    for change in table.inForce(at: now) { PolicyChanging(of: engine).enforce(change, at: now) }
  }

  /// Begins to look for changes whose time is over.
  func start(reload: @escaping Reload) {
    reloading.withLock { $0 = reload }
    // A crash may have come between a reset that was heard of and the end of its window.
    queue.async { [self] in
      for change in table.all where change.register.matter == .reset {
        endWindow(change, isNew: false, at: time.now())
      }
      // The start noted what the configuration gives: changes of names' budgets are over that.
      let now = time.now()
      let changes = table.inForce(at: now).filter { $0.register.matter == .limit }
      noteLimits(of: changes.map(\.register.target), at: now)
    }
    schedule()
  }

  /// Calls `told` whenever something was changed here.
  func whenChanged(_ told: @escaping @Sendable () -> Void) { listener.set(told) }

  func withState<Result: Sendable>(_ body: (State) -> Result) -> Result {
    state.withLock { body($0) }
  }

  /// Does `work` in turn with orders, and waits for it.
  func inTurn<Result>(_ work: () -> Result) -> Result { queue.sync(execute: work) }

  /// The changes as they stand.
  var table: ChangeTable { state.withLock { $0.table } }

  // MARK: - Orders

  /// Does `work` in its turn, off the lane; false: too many wait.
  func take(_ work: @escaping @Sendable () -> Void) -> Bool {
    let isTaken = state.withLock { state in
      guard state.waiting < Self.waitingBound else { return false }
      state.waiting += 1
      return true
    }
    guard isTaken else { return false }
    queue.async { [self] in
      work()
      state.withLock { $0.waiting -= 1 }
    }
    return true
  }

  /// Carries out an order and writes it down, refused or done. On the desk's queue.
  func carryOut<Answer>(
    _ order: ChangeOrder, _ deed: (inout AuditEntry) throws(ServiceRefusal) -> Answer
  ) -> Result<Answer, ServiceRefusal> {
    var entry = AuditEntry(
      at: time.now(), action: order.action.rawValue, by: order.author, node: node)
    entry.target = order.nameKey
    entry.reason = order.reason
    do throws(ServiceRefusal) {
      let answer = try deed(&entry)
      audit.noteKept(order.action, entry)
      return .success(answer)
    } catch {
      entry.refusal = error.status.message
      audit.note(refused: entry)
      return .failure(error)
    }
  }

  /// Sets a limit or a mode. On the desk's queue.
  func set(
    _ order: ChangeOrder, _ entry: inout AuditEntry
  ) throws(ServiceRefusal) -> SetBudgetResponse {
    let now = time.now()
    if let until = order.until, until <= now {
      throw ServiceRefusal(
        .invalidArgument, "until_unix_ms \(until.unixMilliseconds) is over: give a time after now")
    }
    try order.refuseAlias(in: engine.catalog)
    let (register, setting, before) = try meaning(of: order, at: now)
    let table = table
    let known = table[register].flatMap { $0.isInForce(at: now) ? $0 : nil }
    if let wanted = order.ifVersion, wanted != known?.version.description ?? "" {
      throw ServiceRefusal(
        .aborted,
        "if_version '\(wanted)': \(known.map { "version '\($0.version)' is in force" } ?? "nothing is in force"); read the budget again"
      )
    }
    guard known != nil || table.countInForce(at: now) < ChangeTable.mostInForce else {
      throw ServiceRefusal(
        .resourceExhausted,
        "\(ChangeTable.mostInForce) changes are in force, the most there may be: clear some")
    }
    let change = make(register, setting, order, at: now)
    (entry.target, entry.before, entry.after) = (register.target, before, setting.words)
    if let until = order.until { entry.after += " until \(until.iso8601)" }
    try keep([change], entry)
    let meant = meantName(of: order).map { ", did you mean '\($0)'?" } ?? ""
    return SetBudgetResponse(BudgetOverride(change), before: before + meant)
  }

  /// The name that an order without a budget probably means, where there are not too many.
  private func meantName(of order: ChangeOrder) -> String? {
    guard case .mode = order.deed, !order.hasBudget(in: engine, at: time.now()) else { return nil }
    let budgets = engine.catalog.budgets(order.scope)
    guard budgets.count <= Self.namesCompared else { return nil }
    return Spelling.nearest(to: order.name, among: budgets.map(\.definition.key.name))
  }

  /// The register that an order writes, what it writes there, and what held before.
  private func meaning(
    of order: ChangeOrder, at now: Timestamp
  ) throws(ServiceRefusal) -> (BudgetChange.Register, BudgetChange.Setting, String) {
    let budgets = BudgetsOfName(order.nameKey, in: engine, at: now)
    switch order.deed {
    case .limit(let limit):
      let entry = try budgets.entry(for: order)
      let before = BudgetChange.Setting.limit(entry.limit)
      return (.init(.limit, entry.key), .limit(limit), before.words)
    case .mode(let mode):
      guard order.window.isEmpty else {
        throw ServiceRefusal(
          .invalidArgument, "window: a mode is of all budgets of the name: give no window")
      }
      let isStop =
        mode == .freeze && order.scope != .pool && order.name.utf8.last != UInt8(ascii: "*")
      guard !budgets.entries.isEmpty || isStop else { _ = try budgets.entry(for: order); break }
      return (.init(.mode, order.nameKey), .mode(mode), budgets.modeWords)
    case .clear, .reset: break
    }
    throw ServiceRefusal(.internal, "an order that sets nothing")
  }

  /// Has the configuration's values hold again. On the desk's queue.
  func clear(
    _ order: ChangeOrder, _ entry: inout AuditEntry
  ) throws(ServiceRefusal) -> [BudgetOverride] {
    let now = time.now()
    let inForce = table.inForce(at: now).filter { change in
      let target = change.register.target
      guard target.scope == order.scope, ExactText(target.name) == ExactText(order.name) else {
        return false
      }
      return order.window.isEmpty || ExactText(target.windowText) == ExactText(order.window)
    }.sorted { $0.register.target.windowText < $1.register.target.windowText }
    let changes = inForce.map { make($0.register, .cleared, order, at: now) }
    entry.target?.windowText = order.window
    entry.before = inForce.map(\.setting.words).joined(separator: ", ")
    entry.after = inForce.isEmpty ? "nothing was changed" : BudgetChange.Setting.cleared.words
    try keep(changes, entry)
    return changes.map { BudgetOverride($0) }
  }

  /// Lifts a freeze: an operator's is cleared, the configuration's is overridden. On the desk's queue.
  func unfreeze(_ order: ChangeOrder, _ entry: inout AuditEntry) throws(ServiceRefusal) {
    let now = time.now()
    let register = BudgetChange.Register(.mode, order.nameKey)
    let known = table[register].flatMap { $0.isInForce(at: now) ? $0 : nil }
    var setting = BudgetChange.Setting.cleared
    if known?.setting != .mode(.freeze) {
      guard
        BudgetsOfName(order.nameKey, in: engine, at: now).entries.contains(where: {
          $0.mode == .freeze
        })
      else { throw ServiceRefusal(.failedPrecondition, "\(order.words) is not frozen") }
      setting = .mode(.enforce)
    }
    (entry.before, entry.after) = (BudgetMode.freeze.description, setting.words)
    try keep([make(register, setting, order, at: now)], entry)
  }

  private func make(
    _ register: BudgetChange.Register, _ setting: BudgetChange.Setting, _ order: ChangeOrder,
    at now: Timestamp
  ) -> BudgetChange {
    BudgetChange(
      register, setting, until: order.until, reason: order.reason, by: order.author, at: now,
      version: ChangeVersion(at: now, replacing: table[register]?.version, by: node))
  }

  // MARK: - In force

  /// Puts changes and a line of the audit on disk, then in force. A commit that may or may not have
  /// been done is done again: the same change is the same row.
  private func keep(_ changes: [BudgetChange], _ entry: AuditEntry) throws(ServiceRefusal) {
    // Whatever is written has to be read again, here and by other nodes.
    guard changes.allSatisfy({ BudgetChange(text: $0.text) == $0 }) else {
      throw ServiceRefusal(
        .failedPrecondition, "the change has no form that could be kept: nothing was changed")
    }
    for change in changes { try makeRoom(for: change.register, at: time.now()) }
    let notes = ChangeNotes(changes, [entry])
    try Self.keep { () throws(LedgerError) in try ledger.keep(notes) }
    enforce(changes, at: time.now())
    listener()
  }

  /// A change that is on disk already is in force.
  func took(_ change: BudgetChange) {
    _ = state.withLock { $0.merge(change) }
    listener()
  }

  /// Writes; a commit that may or may not have been done is done again.
  static func keep(_ write: () throws(LedgerError) -> Void) throws(ServiceRefusal) {
    do throws(LedgerError) {
      do throws(LedgerError) {
        try write()
      } catch {
        guard error.isDoubtful else { throw error }
        try write()
      }
    } catch {
      throw ServiceRefusal(
        error.isDoubtful ? .unknown : .unavailable,
        error.isDoubtful
          ? "the change may or may not be on disk: \(error); look at it after a restart"
          : "the change cannot be kept: \(error)")
    }
  }

  func enforce(_ changes: [BudgetChange], at now: Timestamp) {
    for change in changes where state.withLock({ $0.merge(change) }) { put(change, at: now) }
  }

  private func put(_ change: BudgetChange, at now: Timestamp) {
    if change.register.matter == .reset { return endWindow(change, isNew: true, at: now) }
    if change.isInForce(at: now) {
      PolicyChanging(of: engine).enforce(change, at: now)
    } else {
      PolicyChanging(of: engine).end(change.register, at: now)
    }
    guard change.register.matter == .limit else { return }
    noteLimits(of: [change.register.target], at: now)
  }

  /// Has the history know the limits in force from now on.
  private func noteLimits(of targets: [BudgetKey], at now: Timestamp) {
    let limits = BudgetsOfName.limits(of: targets, in: engine, at: now)
    ledger.note(limits, isComplete: false, at: now)
  }

  // MARK: - Time

  /// Ends the changes whose time is over, and forgets those that were over long ago.
  func look(at now: Timestamp) {
    let (ended, forgotten) = state.withLock { state in
      // A clock that was set back ends nothing twice.
      let ended = now > state.lookedAt ? state.table.ended(after: state.lookedAt, by: now) : []
      state.lookedAt = max(state.lookedAt, now)
      var forgotten: [BudgetChange.Register] = []
      if now.unixMilliseconds - state.forgottenAt.unixMilliseconds >= Self.forgetInterval {
        state.forgottenAt = now
        forgotten = state.table.forget(at: now)
        for register in forgotten where register.matter == .reset {
          state.resets[register.target] = nil
        }
      }
      return (ended, forgotten)
    }
    for change in ended {
      put(change, at: now)
      audit.tell(
        "the change of \(change.register.target.changeText) to \(change.setting.words) is over")
    }
    takeOut(forgotten)
  }

  /// Takes forgotten changes out of the ledger.
  private func takeOut(_ forgotten: [BudgetChange.Register]) {
    guard !forgotten.isEmpty else { return }
    var notes = ChangeNotes()
    notes.forgotten = forgotten
    do throws(LedgerError) {
      try ledger.keep(notes)
    } catch {
      // They are forgotten again after the next start.
      audit.tell("changes that were over long ago could not be taken from the ledger: \(error)")
    }
  }

  /// Has those changes forgotten that have been over for longest, where so many are kept that there is no
  /// room for another one: what is said now counts, the stop button above all.
  func makeRoom(for register: BudgetChange.Register, at now: Timestamp) throws(ServiceRefusal) {
    let forgotten = state.withLock { $0.makeRoom(for: register, at: now) }
    guard let forgotten else { throw .changesAreFull }
    takeOut(forgotten)
  }

  private func schedule() {
    let now = time.now()
    let next = table.nextEnd(after: now)?.unixMilliseconds ?? .max
    let wait = min(max(next - now.unixMilliseconds, 1), Self.longestWait)
    queue.asyncAfter(deadline: .now() + .milliseconds(Int(wait))) { [weak self] in
      guard let self else { return }
      look(at: time.now())
      schedule()
    }
  }

  /// Reads the configuration again. On the desk's queue.
  func reload(for author: ChangeAuthor) -> Result<ReloadConfigResponse, ServiceRefusal> {
    guard let reload = reloading.withLock({ $0 }) else {
      return .failure(ServiceRefusal(.unavailable, "the server has only begun: try again"))
    }
    return reload(author)
  }
}

extension ServiceRefusal {
  fileprivate static var changesAreFull: ServiceRefusal {
    ServiceRefusal(
      .resourceExhausted,
      "\(ChangeTable.mostKept) changes are kept, the most there may be, and all of them hold: clear "
        + "some")
  }
}

extension ChangeDesk.State {
  /// Forgets old changes if the table is full, and gives their registers; nil: all are in force.
  fileprivate mutating func makeRoom(
    for register: BudgetChange.Register, at now: Timestamp
  ) -> [BudgetChange.Register]? {
    guard table[register] == nil, table.count >= ChangeTable.mostKept else { return [] }
    let gone = table.forgetOldest(at: now)
    for register in gone where register.matter == .reset { resets[register.target] = nil }
    return gone.isEmpty ? nil : gone
  }

  /// Takes a change; false: a later one holds.
  fileprivate mutating func merge(_ change: BudgetChange) -> Bool {
    guard table.merge(change) else { return false }
    edition += 1
    note(change)
    return true
  }

  fileprivate mutating func note(_ change: BudgetChange) {
    if change.register.matter == .reset { resets[change.register.target] = change.madeAt }
  }
}

extension LedgerError {
  /// Whether what was to be written may be on disk all the same.
  fileprivate var isDoubtful: Bool {
    switch self {
    case .diskFull, .closed: false
    default: true
    }
  }
}
