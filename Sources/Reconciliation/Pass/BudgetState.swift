import BudgetModel
import RedisStore

/// One budget's state, as reconciling knows it.
struct BudgetState {
  /// The node's spend in one window, by origin.
  struct OwnWindow {
    var end: Timestamp
    var parts: [String: PicoUSD] = [:]
    /// How much of it the store had when it ended.
    var confirmed = PicoUSD.zero
    /// The amount counted as late already.
    var late = PicoUSD.zero

    var sum: PicoUSD { parts.values.reduce(.zero, +) }
  }

  let key: BudgetKey
  /// When its windows begin and end.
  var rule: WindowRule
  let origin: BudgetOrigin
  let keys: BudgetKeys
  /// Its position among the budgets in force; nil: it is not in force any more.
  var position: Int?
  var limit: PicoUSD?

  /// The node's own windows, by start: open ones, and those that ended a short while ago.
  var windows: [Timestamp: OwnWindow] = [:]
  /// The fleet's window; nil: none is known to be open.
  var record: FleetRecord?
  /// The spend key at the last pass; nil: there was none, or it was another window's.
  var total: PicoUSD?
  /// The start key at the last pass.
  var startText: [UInt8]?
  /// The start of the fleet's window that ended last.
  var endedStart: Timestamp?
  /// The start key that was set for windows of another length, and says nothing until it changes.
  var ignoredStart: [UInt8]?
  /// Until then the spend key is the finished window's.
  var staleUntil: Timestamp?
  /// The spend key is smaller than it was: somebody deleted or overwrote it.
  var hasFallen = false
  /// The spend key holds no number.
  var isBroken = false
  /// When the script ran last for the window; nil: not yet.
  var mergedAt: Timestamp?
  /// Passes in a row that found the spend key ending too late.
  var foreignCount = 0
  /// The node of a cluster that has its keys is away: this pass does not look at it any more.
  var isAway = false
  /// The store said that the window is another one.
  var isContested = false
  /// The start of the window that an operator's last reset began; nil: nobody has reset it.
  var reset: Timestamp?
  /// The reset that the store is known to have.
  var resetTold: Timestamp?
  /// The store may have lost it since.
  var isResetDoubted = false
  /// Whether a provider's first window of this life is still to be shown in the store.
  var announces: Bool
  /// The spend of others that the node was last told, and its window.
  var shown: FleetView?
  /// The record is newer than what the node remembers.
  var isUnremembered = false
  /// This node's claim on it; nil: nothing was ever reserved here.
  var claims: BudgetClaims?
  /// How reservations in it are kept within its limit, and whether any is denied.
  var mode = ClaimMode.shared
  var isBounding = true
  /// Of a dynamic budget that this pass looks at; nil: the budget is an entry's.
  var dynamic: Dynamic?
  /// The fleet's spend per second, dollars, by the last two different totals.
  var rate = 0.0
  var rateBase: (total: PicoUSD, at: Timestamp)?

  init(_ budget: FleetBudget, keys: BudgetKeys, position: Int?) {
    key = budget.key
    rule = budget.rule
    origin = budget.origin
    limit = budget.limit
    mode = budget.mode
    isBounding = budget.isBounding
    self.keys = keys
    self.position = position
    announces = budget.key.scope == .provider && budget.origin == .liteLLM
  }

  /// The configuration says so of it.
  mutating func take(_ budget: FleetBudget) {
    (limit, rule, mode, isBounding) = (budget.limit, budget.rule, budget.mode, budget.isBounding)
  }

  /// Whether a reservation is to be made, and there is no window for it that everybody has.
  func needsWindow(at now: Timestamp) -> Bool {
    claims?.isWanted == true && !isBroken && !isAway && adopted?.isOpen(at: now) != true
  }

  /// The fleet's window.
  var adopted: Window? { record.map { Window(start: $0.start, end: $0.end) } }

  /// The node's own open windows that are not the fleet's.
  func locals(at now: Timestamp) -> [Window] {
    windows.compactMap { start, window in
      start == record?.start || window.end < now
        ? nil : Window(start: start, end: window.end)
    }
  }

  /// The spend in the fleet's window that the store does not have yet.
  var hasNews: Bool {
    guard let record, let own = windows[record.start] else { return false }
    return own.parts.contains { $0.value > record.confirmed[$0.key] ?? .zero }
  }

  /// This node's part of what the store holds.
  var confirmed: PicoUSD { record?.confirmed.values.reduce(.zero, +) ?? .zero }

  /// The spend of others in the fleet's window. While the spend key is missing, its last known
  /// value: LiteLLM deletes the key in a window's last second.
  var others: PicoUSD { max(.zero, (total ?? record?.total ?? .zero) - confirmed) }

  /// Takes what its keys hold. Returns what is wrong with them; nil: nothing is.
  mutating func take(spend: [UInt8]?, start: [UInt8]?, at now: Timestamp) -> String? {
    startText = start
    isBroken = false
    if let stale = staleUntil {
      guard now > stale else {
        total = nil
        hasFallen = false
        return nil
      }
      staleUntil = nil
    }
    let before = max(total ?? .zero, confirmed)
    guard let bytes = spend else {
      hasFallen = before > .zero
      total = nil
      if hasFallen { doubtReset() }
      return nil
    }
    guard let amount = StoreNumber.amount(String(decoding: bytes, as: UTF8.self)) else {
      isBroken = true
      return "its spend key holds no number"
    }
    // The key is a long double: a part in 10¹² is rounding.
    let dust = PicoUSD(pico: 1 + before.pico / 1_000_000_000_000)
    hasFallen = amount + dust < before
    if hasFallen { doubtReset() }
    total = max(.zero, amount)
    return nil
  }

  /// The store may have lost what it had of a reset: its marker is looked at again.
  mutating func doubtReset() { isResetDoubted = reset != nil }

  /// Spend of a window that has ended which the store never got, beyond what was counted before.
  mutating func takeLate(_ start: Timestamp) -> PicoUSD {
    guard let own = windows[start] else { return .zero }
    let late = max(.zero, own.sum - own.confirmed)
    windows[start]?.late = max(late, own.late)
    return max(.zero, late - own.late)
  }

  /// Lets go of the fleet's window; gives what is known of it, where that was not remembered yet. Of
  /// dynamic budgets nothing is: there may be a million that end at once.
  mutating func endWithNews() -> [FleetRecord] {
    let news = isUnremembered && dynamic == nil ? record : nil
    isUnremembered = false
    endRecord()
    return news.map { [$0] } ?? []
  }

  /// Lets go of the fleet's window; what the store had of it is kept with the node's own.
  mutating func endRecord() {
    let confirmed = confirmed
    if let record {
      windows[record.start]?.confirmed = confirmed
      endedStart = record.start
    }
    record = nil
    total = nil
    claims?.endWindow()
    mergedAt = nil
    shown = nil
    rateBase = nil
    rate = 0
    foreignCount = 0
  }
}

/// One budget's keys in the store.
struct BudgetKeys: Hashable, Sendable {
  var spend: [UInt8]
  var start: [UInt8]
  var mark: [UInt8]

  /// Nil: the budget's name has braces for which no marker can be named.
  init?(_ key: BudgetKey, _ origin: BudgetOrigin = .liteLLM, in keys: RedisKeys) {
    guard keys.complaint(key, origin) == nil else { return nil }
    spend = keys.spendKey(key, origin)
    start = keys.startKey(key, origin)
    mark = keys.markKey(key, origin)
  }
}
