import BudgetModel

/// Which window a budget has: decided from what the node and the store know, and nothing else.
enum WindowDecision: Equatable {
  /// Nobody has a window, or the one that is over has not gone yet.
  case none
  /// There is no start key: write this one, unless somebody else was first, and look again.
  case write(Window)
  /// This is the window. The node's own windows whose spend moves to it, and those that end here.
  case adopt(Window, moving: [Timestamp], closing: [Timestamp])

  /// The facts that the decision is made from.
  struct Facts {
    var rule: WindowRule
    /// The store's clock.
    var now: Timestamp
    var startKey: StartKey
    var marker: MarkerHead?
    /// The window that an operator's last reset began, whatever the store has of it.
    var reset: Window?
    /// The window that the node has adopted, if it is open.
    var adopted: Window?
    /// The node's own open windows that are not the fleet's yet.
    var locals: [Window]
    /// Whether a reservation is to be made in the budget: it opens a window as spend would.
    var isWanted = false
  }

  static func make(_ facts: Facts) -> WindowDecision {
    switch chosen(facts) {
    case .none: return .none
    case .some((let window, let needsKey)):
      return needsKey ? .write(window) : adoption(of: window, facts)
    }
  }

  /// The window, and whether its start key has to be written first.
  private static func chosen(_ facts: Facts) -> (Window, needsKey: Bool)? {
    let marker = facts.marker?.window
    let open = marker.flatMap { $0.isOpen(at: facts.now) ? $0 : nil }
    if facts.rule.rollingLength == nil { return ((open ?? standing(facts)), false) }
    switch facts.startKey {
    case .window(let named):
      guard let open else { return (named, false) }
      // The marker's end is the one that everybody has; the later window is the window.
      if open.start == named.start { return (open, false) }
      let markerIsLater = (open.end, open.start) > (named.end, named.start)
      return (markerIsLater ? open : named, false)
    case .over: return open.map { ($0, false) }
    case .missing: return (open ?? own(facts)).map { ($0, true) }
    case .otherLength, .unusable: return (open ?? own(facts)).map { ($0, false) }
    }
  }

  /// The calendar's window. One that is open ends as it was opened, whatever the calendar has become.
  private static func standing(_ facts: Facts) -> Window {
    facts.adopted ?? facts.locals.min { $0.start < $1.start } ?? facts.rule.window(at: facts.now)
  }

  /// The window that the node itself would name.
  private static func own(_ facts: Facts) -> Window? {
    if let adopted = facts.adopted { return adopted }
    guard let first = facts.locals.min(by: { $0.start < $1.start }) else {
      return facts.isWanted ? facts.rule.window(at: facts.now) : nil
    }
    // A node that had not heard the store's clock may have opened it in the future.
    let start = min(first.start, facts.now)
    let window = facts.rule.window(at: start)
    return window.isOpen(at: facts.now) ? window : nil
  }

  private static func adoption(of window: Window, _ facts: Facts) -> WindowDecision {
    // Sorted, so that what is asked of the node does not depend on chance.
    let locals = facts.locals.filter { $0.start != window.start }.sorted { $0.start < $1.start }
    // Spend from before an operator's reset never shows in the window after it.
    var moving = locals.filter { !isReset($0, facts) }.map(\.start)
    var closing = locals.filter { isReset($0, facts) }.map(\.start)
    if let adopted = facts.adopted, adopted.start != window.start {
      if goesOn(adopted, in: window, facts) {
        moving.append(adopted.start)
      } else {
        closing.append(adopted.start)
      }
    }
    return .adopt(window, moving: moving, closing: closing)
  }

  /// Whether `window` is the same period as the node's own window under another name, after a loss of
  /// data or a race of two that opened one; or a new period, that leaves the old one behind.
  private static func goesOn(
    _ adopted: Window, in window: Window, _ facts: Facts
  ) -> Bool {
    if isReset(adopted, facts) { return false }
    if window.end <= adopted.end { return true }
    let length = facts.rule.milliseconds(of: window)
    let overlap = adopted.end.unixMilliseconds - (window.end.unixMilliseconds - length)
    if overlap <= slack(length: length) { return false }
    let wasThere =
      facts.marker?.window.start == adopted.start || facts.marker?.replaced == adopted.start
    // Nothing was lost: somebody began a new period. Late in the old one that is LiteLLM on a host
    // whose clock is ahead; early in it, it is a race of two starts.
    return !wasThere || overlap > length / 2
  }

  /// Whether an operator's reset has ended the window.
  private static func isReset(_ window: Window, _ facts: Facts) -> Bool {
    if let end = facts.marker?.resetUntil, window.end <= end { return true }
    // A host whose clock is behind may have begun a later one that seems to be older.
    return facts.reset.map { window.start < $0.start && window.end <= $0.end } ?? false
  }

  /// How near to a window's ends clocks and expiries are not to be told apart, as in the script.
  static func slack(length: Int64) -> Int64 { min(5_000, length / 4) }
}
