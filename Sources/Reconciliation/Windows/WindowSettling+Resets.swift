import BudgetModel
import RedisStore

extension WindowSettling {
  /// Has the store begin the windows that resets began, whoever was first. LiteLLM's start keys are
  /// overwritten: its proxies count on in the new window.
  func reset(
    _ calls: [(index: Int, call: ResetCall)], _ budgets: inout KnownBudgets,
    _ store: inout some FleetStore, _ report: inout PassReport
  ) throws(PassFailure) {
    var writes: [(index: Int, command: [[UInt8]])] = []
    for ((index, call), reply) in zip(calls, try ResetCall.send(calls.map(\.call), to: &store)) {
      if let refusal = reply.refusal {
        guard refusal.isAboutOneKey else {
          try budgets.passOver(refusal, at: index, &report)
          continue
        }
        report.fault(call.key, call.keys.words(refusal))
      } else if let command = try budgets[index].wasReset(by: call, reply) {
        writes.append((index, command))
      }
    }
    try write(writes, &budgets, &store, &report)
    // Told only now: a start key that was not written is looked at again.
    for (index, _) in writes { budgets[index].toldReset() }
  }
}

/// A call of the spend script that ends a budget's window.
struct ResetCall {
  let key: BudgetKey
  let window: Window
  let length: Int64
  let epoch: String
  let keys: BudgetKeys

  var scriptCall: RedisScriptCall {
    let words = [
      "RESET", "\(window.start.unixMilliseconds)", "\(window.end.unixMilliseconds)", "\(length)",
      epoch, "0", "-",
    ]
    return RedisScriptCall(
      keys: [keys.spend, keys.mark], arguments: words.map { Array($0.utf8) })
  }

  static func send(
    _ calls: [ResetCall], to store: inout some FleetStore
  ) throws(PassFailure) -> [RedisValue] {
    if calls.isEmpty { return [] }
    let replies: [RedisValue]
    do throws(RedisError) {
      replies = try store.evaluate(calls.map(\.scriptCall))
    } catch {
      throw .store(error)
    }
    guard replies.count == calls.count else { throw .unexpectedReply(command: "EVALSHA") }
    return replies
  }

  /// Sets the start key, whatever was there.
  var startCommand: [[UInt8]] {
    [Array("SET".utf8), keys.start, Array(StoreNumber.text(window.start).utf8)]
      + [Array("PXAT".utf8), Array("\(window.end.unixMilliseconds + 1)".utf8)]
  }
}

extension BudgetState {
  /// The window that an operator's last reset began.
  var resetWindow: Window? {
    reset.map { Window(start: $0, end: rule.window(at: $0).end) }
  }

  /// Takes the store's answer to a reset. Gives the command that sets the start key; nil where a later
  /// window has the place, or the calendar's windows need none.
  mutating func wasReset(
    by call: ResetCall, _ reply: RedisValue
  ) throws(PassFailure) -> [[UInt8]]? {
    guard let answer = MergeReply(reply) else { throw .unexpectedReply(command: "the script") }
    // The spend key is another window's from now on.
    if answer.outcome == .reset { resetTold = nil }
    if answer.outcome != .stale, rule.rollingLength != nil { return call.startCommand }
    toldReset()
    return nil
  }

  /// Whether it is not known that the store has the last reset.
  var owesReset: Bool { reset != resetTold || isResetDoubted }

  /// The store has the reset. A spend key that was read before is perhaps the old window's.
  mutating func toldReset() {
    if reset != resetTold { (total, hasFallen) = (nil, true) }
    (resetTold, isResetDoubted) = (reset, false)
  }

  /// The call that tells the store of the last reset; nil: the store has it, or its window is over.
  mutating func resetCall(
    _ marker: MarkerHead?, _ startKey: StartKey, at now: Timestamp
  ) -> ResetCall? {
    guard owesReset || isLost(by: marker, at: now) else { return nil }
    guard let window = resetWindow, window.isOpen(at: now), !knows(window, marker, startKey) else {
      toldReset()
      return nil
    }
    return ResetCall(
      key: key, window: window, length: rule.milliseconds(of: window),
      epoch: String(UInt32.random(in: .min ... .max), radix: 16), keys: keys)
  }

  /// Whether the store had the reset and has forgotten it: its marker is of a window before.
  private func isLost(by marker: MarkerHead?, at now: Timestamp) -> Bool {
    guard let reset, let marker, let window = resetWindow, window.isOpen(at: now) else {
      return false
    }
    return marker.window.start < reset && (marker.resetStart.map { $0 < reset } ?? true)
  }

  /// The store was told of the reset, and the spend script finds that it does not have it.
  mutating func lostReset() { resetTold = nil }

  /// Whether the store has the reset that began `window`, or a later one.
  private func knows(_ window: Window, _ marker: MarkerHead?, _ startKey: StartKey) -> Bool {
    // One that only the start key still names: nobody has told LiteLLM yet.
    if case .window(let named) = startKey, named.start < window.start, named.end <= window.end {
      return marker?.resetStart.map { $0 > window.start } ?? false
    }
    guard let marker else {
      // Emptied since it was told: what others have added meanwhile is of the window that the fleet has.
      return reset == resetTold && adopted.map { $0.start >= window.start } ?? false
    }
    return marker.window.start == window.start
      || marker.resetStart.map { $0 >= window.start } ?? false
  }
}
