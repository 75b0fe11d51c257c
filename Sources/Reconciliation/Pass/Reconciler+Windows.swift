import BudgetModel
import RedisStore

extension Reconciler {
  /// How often one pass looks again after writing start keys: somebody else may have been first,
  /// and be gone again.
  private static let roundBound = 3

  /// Finds the windows that are not known, and has the node adopt them.
  mutating func settleWindows(
    _ chosen: [Int], _ node: some FleetNode, _ store: inout some FleetStore,
    _ report: inout PassReport
  ) throws(PassFailure) {
    var open = chosen.filter { !states[$0].isAway && states[$0].isUnsettled(at: report.time) }
    var adoptions: [(index: Int, adoption: WindowAdoption)] = []
    for _ in 0..<Self.roundBound where !open.isEmpty {
      var again: [Int] = []
      var first = 0
      while first < open.count {
        let slice = Array(open[first..<min(first + settings.settleBound, open.count)])
        again += try settle(slice, &adoptions, &store, &report)
        first += slice.count
      }
      open = again
    }
    guard !adoptions.isEmpty else { return }
    do throws(FleetNodeError) {
      // In slices: the ledger commits nothing else meanwhile.
      var first = 0
      while first < adoptions.count {
        let slice = adoptions[first..<min(first + settings.adoptionBound, adoptions.count)]
        try node.adopt(slice.map(\.adoption))
        for (index, adoption) in slice { adopted(adoption, at: index) }
        first += slice.count
      }
      report.adopted = adoptions.count
      // Moved spend stands under its new window; so does what came meanwhile.
      apply(try node.news())
    } catch {
      throw .node(error)
    }
    try announce(adoptions.map(\.index), &store, &report)
  }

  /// One round: reads start keys, their ends and the markers; decides; writes start keys. Returns
  /// the budgets that have to be looked at again.
  private mutating func settle(
    _ open: [Int], _ adoptions: inout [(index: Int, adoption: WindowAdoption)],
    _ store: inout some FleetStore, _ report: inout PassReport
  ) throws(PassFailure) -> [Int] {
    let replies = try store.answers(
      to: [[Array("TIME".utf8)]] + open.flatMap { states[$0].keys.windowQuestions })
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
          try passOver(refusal, at: index, &report)
          continue
        }
        report.fault(states[index].key, "its start key or marker: \(refusal)")
        continue
      }
      guard let keys = try WindowKeys(answer) else {
        again.append(index)
        continue
      }
      let startKey = startKey(keys.start, timeToLive: keys.startLeft, index, at: now)
      if let call = states[index].resetCall(keys.marker, startKey, at: now) {
        resetCalls.append((index, call))
        again.append(index)
        continue
      }
      if case .unusable(let reason) = startKey {
        report.fault(
          states[index].key, "its start key cannot be used: \(reason)", isShared: true)
      }
      switch WindowDecision.make(states[index].facts(startKey, keys.marker, at: now)) {
      case .none: states[index].isContested = false
      case .write(let window):
        writes.append((index, states[index].keys.startCommand(window)))
        again.append(index)
      case .adopt(let window, let moving, let closing):
        states[index].settled(in: window, keys, at: now)
        if let adoption = states[index].adoption(
          of: window, keys.marker?.window == window, moving: moving, closing: closing, at: now)
        {
          adoptions.append((index, adoption))
        }
      }
    }
    try reset(resetCalls, &store, &report)
    try write(writes, &store, &report)
    return again.filter { !states[$0].isAway }
  }

  mutating func write(
    _ writes: [(index: Int, command: [[UInt8]])], _ store: inout some FleetStore,
    _ report: inout PassReport
  ) throws(PassFailure) {
    if writes.isEmpty { return }
    for (write, reply) in zip(writes, try store.answers(to: writes.map(\.command))) {
      if let refusal = reply.refusal { try passOver(refusal, at: write.index, &report) }
    }
  }

  /// The budget's window as the start key has it. LiteLLM's key bears no window text. A key that was
  /// set for another text of the same budget is told from one of a host with a clock of its own: by
  /// its length, or by what this node knows of the other text's windows.
  private mutating func startKey(
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

  /// The node has adopted the window.
  private mutating func adopted(_ adoption: WindowAdoption, at index: Int) {
    let before = states[index].record
    let total = states[index].total
    if let before, before.start != adoption.record.start {
      states[index].endRecord()
      // The key that was read is the window's, unless it was found to be the finished one's.
      states[index].total = total
    }
    for start in adoption.moving { states[index].windows[start] = nil }
    for start in adoption.closing { states[index].windows[start]?.end = adoption.record.at }
    states[index].record = adoption.record
    states[index].mergedAt = nil
    states[index].shown = nil
  }

  /// LiteLLM does this for a provider when it starts; here nothing is overwritten.
  private mutating func announce(
    _ indices: [Int], _ store: inout some FleetStore, _ report: inout PassReport
  ) throws(PassFailure) {
    var writes: [(index: Int, command: [[UInt8]])] = []
    for index in indices where states[index].announces {
      states[index].announcement(at: report.time).map { writes.append((index, $0)) }
    }
    try write(writes, &store, &report)
  }
}

extension BudgetState {
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

  /// A spend key that goes as the window begins is the finished window's, and its value none of
  /// this one's.
  mutating func noteStale(_ window: Window, spendLeft: Int64, at now: Timestamp) {
    guard spendLeft >= 0 else { return }
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
