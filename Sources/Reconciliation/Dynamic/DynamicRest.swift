import BudgetModel
import RedisStore

/// Dynamic budgets between passes, with all that it takes to wake them and put them to rest.
struct DynamicRest {
  private(set) var rows = RestingBudgets()
  private var patterns = FleetPatterns()
  private let keys: RedisKeys
  private let settings: ReconcilerSettings
  private let pace: NewsPace
  /// Markers that were looked at before are looked at again; and whether from the next pass on.
  private var checkedSince = RestingBudgets.never
  private var checksAllMarkers = false
  /// Those that this pass has still to look at.
  private var due: [RestingBudgets.Due] = []

  init(_ settings: ReconcilerSettings, keys: RedisKeys) {
    self.settings = settings
    self.keys = keys
    pace = NewsPace(settings)
  }

  var isEmpty: Bool { rows.isEmpty }

  /// How long an ended window is told of, and a new link's markers are looked at more often.
  private var memory: Int64 { settings.endedWindowMemoryMilliseconds }

  // MARK: - News

  /// Takes a total of a budget that rests, or that a pattern gives; false: it is another's.
  mutating func note(_ total: OriginTotal, isInherited: Bool) -> Bool {
    if let head = rows.head(of: total.key) {
      rows.note(total, head, isInherited: isInherited)
      return true
    }
    guard let pattern = patterns.number(of: total.key) else { return false }
    // A name whose braces leave no place for a marker is counted on this node alone.
    guard BudgetKeys(total.key, .own, in: keys) != nil else { return true }
    rows.note(total, rows.addHead(total.key, pattern: pattern), isInherited: isInherited)
    return true
  }

  /// Takes a remembered window of such a budget, the first of it that ends last; false: it is
  /// another's.
  mutating func note(_ record: FleetRecord, _ isTold: inout Set<BudgetKey>) -> Bool {
    var head = rows.head(of: record.key)
    if head == nil, let pattern = patterns.number(of: record.key) {
      head = rows.addHead(record.key, pattern: pattern)
    }
    guard let head else { return false }
    guard isTold.insert(record.key).inserted, var state = state(of: head, tells: false)
    else { return true }
    if state.record?.start != record.start {
      if state.record != nil { state.endRecord() }
      state.record = record
    }
    state.dynamic?.isInherited = true
    rest(state, readDue: rows[head].readDue)
    return true
  }

  /// Nothing that was told of totals holds any more: they are told anew.
  mutating func forgetTotals() { rows.forgetTotals() }

  /// The link is another one: every marker is looked at.
  mutating func linkWasMade() { checksAllMarkers = true }

  // MARK: - Configurations

  /// The patterns are others.
  mutating func take(_ new: [FleetPattern]) {
    patterns = FleetPatterns(new)
    for head in 0..<rows.headCount where rows[head].flags.contains(.isHead) {
      rows[head].pattern = patterns.number(of: rows.key(of: head)) ?? -1
    }
  }

  /// Takes a budget that no entry names any more, if a pattern gives it; whether one does.
  mutating func take(_ state: BudgetState, at now: Timestamp) -> Bool {
    guard let pattern = patterns.number(of: state.key) else { return false }
    var state = state
    if state.origin != .own {
      // LiteLLM's keys had it: what it has spent is told again, under its own.
      state.endRecord()
      for (start, window) in state.windows where window.end >= now {
        state.windows[start]?.confirmed = .zero
      }
    }
    let head = rows.head(of: state.key) ?? rows.addHead(state.key, pattern: pattern)
    state.dynamic = .init(head: head, tells: false, isInherited: false, readDue: nil)
    rest(state, readDue: RestingBudgets.never)
    return true
  }

  /// Gives up a budget that an entry of LiteLLM's sections names from now on, which has other keys: its
  /// spend in open windows is told again, under those.
  mutating func giveUpWindows(
    of budget: FleetBudget, at now: Timestamp
  ) -> [Timestamp: BudgetState.OwnWindow] {
    guard budget.origin != .own, let head = rows.head(of: budget.key) else { return [:] }
    var state = state(of: head, tells: true)
    state?.endRecord()
    rows.remove(head)
    return (state?.windows ?? [:]).mapValues { window in
      var window = window
      if window.end >= now { window.confirmed = .zero }
      return window
    }
  }

  /// Gives up a budget that an entry names from now on: its state is the entry's.
  mutating func giveUp(_ budget: FleetBudget) -> BudgetState? {
    guard budget.origin == .own, let head = rows.head(of: budget.key),
      var state = state(of: head, tells: true)
    else { return nil }
    state.dynamic = nil
    rows.remove(head)
    return state
  }

  // MARK: - A pass

  /// Chooses those that a pass looks at.
  mutating func takeDue(_ occasion: RestingBudgets.Occasion, at now: Timestamp) {
    if checksAllMarkers { (checkedSince, checksAllMarkers) = (now, false) }
    let isAfterNewLink =
      checkedSince != RestingBudgets.never
      && now.unixMilliseconds - checkedSince.unixMilliseconds < memory
    let look = DynamicLook(
      pace: pace,
      bounds: .init(
        told: settings.toldBound, read: settings.pullBound,
        checked: isAfterNewLink ? settings.toldBound / 2 : settings.checkBound,
        visited: settings.visitBound),
      limits: patterns.all.map(\.limit), checkedSince: checkedSince,
      checkMilliseconds: settings.markerCheckMilliseconds, memoryMilliseconds: memory)
    due = rows.takeDue(occasion, look, at: now).reversed()
  }

  /// The next that this pass looks at, awake; nil: those were all.
  mutating func wakeNext(at now: Timestamp) -> BudgetState? {
    while let next = due.popLast() {
      if var state = state(of: next.head, tells: next.tells) {
        state.adoptCalendarWindow(at: now)
        return state
      }
      rows.remove(next.head)
    }
    return nil
  }

  /// Puts one that was looked at to rest.
  mutating func rest(_ state: BudgetState, at now: Timestamp) {
    let wait = readWait(of: state, at: now)
    rest(
      state, readDue: StoreNumber.instant(now, plus: wait.wholeMilliseconds),
      isWatched: wait < pace.longest)
  }

  /// Puts one to rest that a pass which failed has looked at: whatever was due is due again. `now`:
  /// its node alone is away, so its news waits behind that of others.
  mutating func giveBack(_ state: BudgetState, at now: Timestamp? = nil) {
    var state = state
    state.dynamic?.tells = false
    rest(state, readDue: state.dynamic?.readDue ?? RestingBudgets.never)
    if let now, let head = state.dynamic?.head { rows.postponeNews(head, since: now) }
  }

  /// The pass failed: it looks at no more.
  mutating func giveBackDue() {
    for next in due { rows[next.head].flags.remove(.isAwake) }
    due = []
  }

  private mutating func rest(
    _ state: BudgetState, readDue: Timestamp, isWatched: Bool = false
  ) {
    guard let dynamic = state.dynamic else { return }
    rows.rest(state, dynamic, readDue: readDue, isWatched: isWatched)
  }

  private func readWait(of state: BudgetState, at now: Timestamp) -> Duration {
    guard let dynamic = state.dynamic, let total = state.total, let due = dynamic.readDue,
      rows[dynamic.head].flags.contains(.hasTotal), total > rows[dynamic.head].total
    else { return pace.longest }
    // It was read `longest` before it was to be read again, or less.
    let last = due.unixMilliseconds - pace.longest.wholeMilliseconds
    return pace.wait(
      left: state.limit.map { $0 - total }, grown: total - rows[dynamic.head].total,
      passed: .milliseconds(max(1, now.unixMilliseconds - last)))
  }

  /// The full state of a budget that rests.
  private func state(of head: Int32, tells: Bool) -> BudgetState? {
    let (key, number) = (rows.key(of: head), rows[head].pattern)
    let rule: WindowRule
    var limit: PicoUSD?
    var mode = ClaimMode.shared
    if number >= 0 {
      rule = patterns.all[Int(number)].rule
      limit = patterns.all[Int(number)].limit
      mode = patterns.all[Int(number)].mode
    } else if let known = try? WindowRule(text: key.windowText) {
      // Its pattern is gone: what is left of its spend is told.
      rule = known
    } else {
      return nil
    }
    guard let keys = BudgetKeys(key, .own, in: keys) else { return nil }
    var budget = FleetBudget(key: key, limit: limit, rule: rule, origin: .own)
    budget.mode = mode
    return rows.state(of: head, budget, keys: keys, tells: tells)
  }

  /// A budget that rests, with its window; nil: it does not, or has none that is known.
  func claimed(_ key: BudgetKey) -> ClaimedBudget? {
    guard let head = rows.head(of: key), rows[head].record.start != RestingBudgets.never,
      let keys = BudgetKeys(key, .own, in: keys)
    else { return nil }
    return ClaimedBudget(key: key, keys: keys, start: rows[head].record.start)
  }

  /// Wakes a budget in which something is reserved, whether it was ever charged here or not; nil: no pattern
  /// gives it, or the store cannot keep it.
  mutating func wake(_ key: BudgetKey, at now: Timestamp) -> BudgetState? {
    var head = rows.head(of: key)
    if head == nil, let pattern = patterns.number(of: key), BudgetKeys(key, .own, in: keys) != nil {
      head = rows.addHead(key, pattern: pattern)
    }
    guard let head, !rows[head].flags.contains(.isAwake),
      var state = state(of: head, tells: true)
    else { return nil }
    rows[head].flags.insert(.isAwake)
    state.adoptCalendarWindow(at: now)
    return state
  }

  /// The state of a budget that rests; nil: it does not.
  func state(of key: BudgetKey) -> BudgetState? {
    rows.head(of: key).flatMap { state(of: $0, tells: false) }
  }

  /// Has the next pass come just before windows end that have news, or that the calendar ends.
  func pace(_ report: inout PassReport) {
    if isEmpty { return }
    let calendars = patterns.all.filter { $0.rule.rollingLength == nil }
      .map { $0.rule.window(at: report.time).end }
    let ends = calendars + [rows.soonestEnd(after: report.time)].compactMap { $0 }
    guard let end = ends.min() else { return }
    let left =
      end.unixMilliseconds - report.time.unixMilliseconds - BudgetState.lastPassMilliseconds
    guard left > 0, .milliseconds(left) < report.nextPass else { return }
    report.nextPass = max(.milliseconds(left), settings.shortestInterval)
    report.isNextUrgent = true
  }
}

extension BudgetState {
  /// A window that the calendar gives is the fleet's without a question, where it is the node's own.
  mutating func adoptCalendarWindow(at now: Timestamp) {
    let locals = locals(at: now)
    guard rule.rollingLength == nil, adopted.map({ !$0.isOpen(at: now) }) ?? true,
      locals == [rule.window(at: now)]
    else { return }
    if record != nil { endRecord() }
    record = FleetRecord(key: key, start: locals[0].start, end: locals[0].end, at: now)
  }
}
