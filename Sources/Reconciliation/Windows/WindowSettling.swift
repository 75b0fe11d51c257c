import BudgetModel
import RedisStore

/// Finds the windows of budgets that have none, or whose start key is another one, and has the node adopt
/// them. A value for one pass.
struct WindowSettling {
  let settings: ReconcilerSettings
  private var adoptions: [(index: Int, adoption: WindowAdoption)] = []

  init(_ settings: ReconcilerSettings) { self.settings = settings }

  /// How often one pass looks again after writing start keys: somebody else may have been first,
  /// and be gone again.
  private static let roundBound = 3

  /// Finds the windows that are not known, and has the node adopt them.
  mutating func settle(
    _ chosen: [Int], _ budgets: inout KnownBudgets, _ store: inout some FleetStore,
    _ report: inout PassReport
  ) throws(PassFailure) {
    var open = chosen.filter { !budgets[$0].isAway && budgets[$0].isUnsettled(at: report.time) }
    for _ in 0..<Self.roundBound where !open.isEmpty {
      var again: [Int] = []
      var first = 0
      while first < open.count {
        let slice = Array(open[first..<min(first + settings.settleBound, open.count)])
        again += try look(slice, &budgets, &store, &report)
        first += slice.count
      }
      open = again
    }
  }

  /// Has the node adopt what was found: in the ledger first.
  mutating func adopt(
    _ budgets: inout KnownBudgets, _ node: some FleetNode, _ store: inout some FleetStore,
    _ report: inout PassReport
  ) throws(PassFailure) {
    guard !adoptions.isEmpty else { return }
    do throws(FleetNodeError) {
      // In slices: the ledger commits nothing else meanwhile.
      var first = 0
      while first < adoptions.count {
        let slice = adoptions[first..<min(first + settings.adoptionBound, adoptions.count)]
        try node.adopt(slice.map(\.adoption))
        for (index, adoption) in slice { budgets[index].adopted(adoption) }
        first += slice.count
      }
      report.adopted = adoptions.count
      // Moved spend stands under its new window; so does what came meanwhile.
      budgets.apply(try node.news())
    } catch {
      throw .node(error)
    }
    try announce(&budgets, &store, &report)
  }

  /// One round: reads start keys, their ends and the markers; decides; writes start keys. Returns
  /// the budgets that have to be looked at again.
  private mutating func look(
    _ open: [Int], _ budgets: inout KnownBudgets, _ store: inout some FleetStore,
    _ report: inout PassReport
  ) throws(PassFailure) -> [Int] {
    let replies = try store.answers(
      to: [[Array("TIME".utf8)]] + open.flatMap { budgets[$0].keys.windowQuestions })
    guard let now = replies[0].time else { throw PassFailure(replies[0], to: "TIME") }
    // The next pass judges it: no window is decided on by a clock that nobody has judged.
    let step = (now.unixMilliseconds - report.time.unixMilliseconds).magnitude
    guard step <= UInt64(settings.clockStepMilliseconds) else {
      throw .clockMoved(from: report.time, to: now)
    }
    var writes: [(index: Int, command: [[UInt8]])] = []
    var resetCalls: [(index: Int, call: ResetCall)] = []
    var again: [Int] = []
    for (place, index) in open.enumerated() {
      let answer = replies[(1 + 5 * place)...(5 + 5 * place)]
      if let refusal = answer.lazy.compactMap(\.refusal).first {
        guard refusal.isAboutOneKey else {
          try budgets.passOver(refusal, at: index, &report)
          continue
        }
        report.fault(budgets[index].key, "its start key or marker: \(refusal)")
        continue
      }
      guard let keys = try WindowKeys(answer) else {
        again.append(index)
        continue
      }
      let startKey = budgets.startKey(keys.start, timeToLive: keys.startLeft, index, at: now)
      if let call = budgets[index].resetCall(keys.marker, startKey, at: now) {
        resetCalls.append((index, call))
        again.append(index)
        continue
      }
      if case .unusable(let reason) = startKey {
        report.fault(
          budgets[index].key, "its start key cannot be used: \(reason)", isShared: true)
      }
      switch WindowDecision.make(budgets[index].facts(startKey, keys.marker, at: now)) {
      case .none: budgets[index].isContested = false
      case .write(let window):
        writes.append((index, budgets[index].keys.startCommand(window)))
        again.append(index)
      case .adopt(let window, let moving, let closing):
        budgets[index].settled(in: window, keys, at: now)
        if let adoption = budgets[index].adoption(
          of: window, keys.marker?.window == window, moving: moving, closing: closing, at: now)
        {
          adoptions.append((index, adoption))
        }
      }
    }
    try reset(resetCalls, &budgets, &store, &report)
    try write(writes, &budgets, &store, &report)
    return again.filter { !budgets[$0].isAway }
  }

  func write(
    _ writes: [(index: Int, command: [[UInt8]])], _ budgets: inout KnownBudgets,
    _ store: inout some FleetStore, _ report: inout PassReport
  ) throws(PassFailure) {
    if writes.isEmpty { return }
    for (write, reply) in zip(writes, try store.answers(to: writes.map(\.command))) {
      if let refusal = reply.refusal { try budgets.passOver(refusal, at: write.index, &report) }
    }
  }

  /// LiteLLM does this for a provider when it starts; here nothing is overwritten.
  private func announce(
    _ budgets: inout KnownBudgets, _ store: inout some FleetStore, _ report: inout PassReport
  ) throws(PassFailure) {
    var writes: [(index: Int, command: [[UInt8]])] = []
    for (index, _) in adoptions where budgets[index].announces {
      budgets[index].announcement(at: report.time).map { writes.append((index, $0)) }
    }
    try write(writes, &budgets, &store, &report)
  }
}

extension KnownBudgets {
  /// The budget's window as the start key has it. LiteLLM's key bears no window text. A key that was
  /// set for another text of the same budget is told from one of a host with a clock of its own: by
  /// its length, or by what this node knows of the other text's windows.
  fileprivate mutating func startKey(
    _ value: [UInt8]?, timeToLive: Int64, _ index: Int, at now: Timestamp
  ) -> StartKey {
    guard let length = states[index].rule.rollingLength else { return .missing }
    var startKey = StartKey(value, timeToLive: timeToLive, length: length, at: now)
    if let value, value == states[index].ignoredStart { startKey = .otherLength }
    if case .window(let window) = startKey, states[index].origin == .liteLLM,
      StartKey.isSkewed(window, length: length),
      states.contains(where: { $0.hasOtherText(than: states[index].key, from: window.start) })
    {
      startKey = .otherLength
    }
    states[index].ignoredStart = startKey == .otherLength ? value : nil
    return startKey
  }
}

extension BudgetState {
  /// The node has adopted the window.
  fileprivate mutating func adopted(_ adoption: WindowAdoption) {
    let before = record
    let total = total
    if let before, before.start != adoption.record.start {
      endRecord()
      // The key that was read is the window's, unless it was found to be the finished one's.
      self.total = total
    }
    for start in adoption.moving { windows[start] = nil }
    for start in adoption.closing { windows[start]?.end = adoption.record.at }
    record = adoption.record
    mergedAt = nil
    shown = nil
  }

  /// Whether a look at the budget's start key and marker is needed.
  func isUnsettled(at now: Timestamp) -> Bool {
    if isContested || owesReset || !locals(at: now).isEmpty { return true }
    // Windows of a calendar have no start key: a spend key tells that somebody has charged one.
    // Reservations need one that everybody has.
    if rule.rollingLength == nil { return adopted == nil && (total != nil || claims != nil) }
    guard let adopted else { return startText != nil || needsWindow(at: now) }
    guard let text = startText else { return true }
    return StoreNumber.instant(String(decoding: text, as: UTF8.self)) != adopted.start
  }

  /// Redis' answer to PTTL for a key that does not exist.
  private static let keyIsGone: Int64 = -2

  /// A spend key that goes as the window begins is the finished window's, and its value none of
  /// this one's.
  mutating func noteStale(_ window: Window, spendLeft: Int64, at now: Timestamp) {
    guard spendLeft >= 0 else {
      // Gone since it was read: the value that was read is the finished window's. Windows that roll begin
      // with a start key, and are looked at again.
      if spendLeft == Self.keyIsGone, rule.rollingLength == nil { total = nil }
      return
    }
    let length = rule.milliseconds(of: window)
    let slack = WindowDecision.slack(length: length)
    let goes = StoreNumber.instant(now, plus: spendLeft).unixMilliseconds
    let end = window.end.unixMilliseconds
    guard goes <= end - length + slack, goes < end - slack else { return }
    staleUntil = Timestamp(unixMilliseconds: goes)
    total = nil
  }

  /// The node's adoption of the window; nil: it has it. `isExact`: its end is the marker's.
  func adoption(
    of window: Window, _ isExact: Bool, moving: [Timestamp], closing: [Timestamp],
    at now: Timestamp
  ) -> WindowAdoption? {
    var window = window
    // An end that the key's time to live tells some milliseconds apart is the same; the marker's is
    // everybody's.
    if !isExact, let adopted, adopted.start == window.start,
      abs(adopted.end.unixMilliseconds - window.end.unixMilliseconds) <= 2_000
    {
      window.end = adopted.end
    }
    if moving.isEmpty, closing.isEmpty, adopted == window { return nil }
    var record = FleetRecord(
      key: key, start: window.start, end: window.end, at: now)
    if let before = self.record,
      before.start == window.start || moving.contains(before.start)
    {
      // The same period under another name: what the store confirmed of it stays true.
      record.confirmed = before.confirmed
      record.highest = before.highest
      record.total = before.total
      record.nodes = before.nodes
    }
    return WindowAdoption(
      key: key, moving: moving, closing: closing, record: record)
  }
}

extension BudgetState {
  /// Shows the window that the node has adopted in the store; nil: there is none yet, or the store has
  /// it.
  fileprivate mutating func announcement(at now: Timestamp) -> [[UInt8]]? {
    guard let adopted else { return nil }
    announces = false
    let left = adopted.end.unixMilliseconds - now.unixMilliseconds
    guard total == nil, staleUntil == nil,
      left > WindowDecision.slack(length: rule.milliseconds(of: adopted))
    else { return nil }
    return [Array("SET".utf8), keys.spend, Array("0.0".utf8), Array("NX".utf8)]
      + [Array("PXAT".utf8), Array("\(adopted.end.unixMilliseconds + 1)".utf8)]
  }
}

extension RedisRefusal {
  /// Whether the refusal is about one key, and says nothing of the others.
  var isAboutOneKey: Bool { kind == .wrongType || kind == .other }
}

extension BudgetState {
  /// Whether it is the same budget under another window text, which had a window from `start`.
  fileprivate func hasOtherText(than key: BudgetKey, from start: Timestamp) -> Bool {
    position == nil && self.key.scope == key.scope && self.key.name == key.name
      && self.key != key
      && (record?.start == start || endedStart == start || windows[start] != nil)
  }
}

/// The answers to a budget's window questions.
private struct WindowKeys {
  let start: [UInt8]?
  /// How long the start key and the spend key last, as PTTL says.
  let startLeft: Int64
  let spendLeft: Int64
  let marker: MarkerHead?

  /// Nil: somebody has just written the start key, and one window's start and another one's end make
  /// none.
  init?(_ answers: ArraySlice<RedisValue>) throws(PassFailure) {
    let first = answers.startIndex
    guard let left = answers[first + 1].integer, let spendLeft = answers[first + 3].integer else {
      throw PassFailure(answers[first + 1], to: "PTTL")
    }
    guard answers[first].bytes == answers[first + 2].bytes else { return nil }
    start = answers[first].bytes
    (startLeft, self.spendLeft) = (left, spendLeft)
    marker = MarkerHead(answers[first + 4])
  }
}

extension BudgetState {
  /// Its window is known.
  fileprivate mutating func settled(in window: Window, _ keys: WindowKeys, at now: Timestamp) {
    isContested = false
    // With a marker of this window the key is its own, however soon somebody had it end.
    guard keys.marker?.window.start != window.start else { return }
    noteStale(window, spendLeft: keys.spendLeft, at: now)
  }

  fileprivate func facts(
    _ startKey: StartKey, _ marker: MarkerHead?, at now: Timestamp
  ) -> WindowDecision.Facts {
    WindowDecision.Facts(
      rule: rule, now: now, startKey: startKey, marker: marker, reset: resetWindow,
      adopted: adopted.flatMap { $0.isOpen(at: now) ? $0 : nil }, locals: locals(at: now),
      isWanted: needsWindow(at: now))
  }
}

extension BudgetKeys {
  /// The commands that tell which window there is.
  fileprivate var windowQuestions: [[[UInt8]]] {
    [
      [Array("GET".utf8), start], [Array("PTTL".utf8), start], [Array("GET".utf8), start],
      [Array("PTTL".utf8), spend],
      [Array("HMGET".utf8), mark] + MarkerHead.fields.map { Array($0.utf8) },
    ]
  }

  /// Sets the start key, unless somebody else was first.
  func startCommand(_ window: Window) -> [[UInt8]] {
    [Array("SET".utf8), start, Array(StoreNumber.text(window.start).utf8), Array("NX".utf8)]
      + [Array("PXAT".utf8), Array("\(window.end.unixMilliseconds + 1)".utf8)]
  }
}
