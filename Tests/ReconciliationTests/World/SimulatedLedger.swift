import BudgetModel
import Reconciliation

/// The part of a node that outlives a crash.
struct SimulatedLedger {
  struct Window {
    var end: Timestamp
    var amounts: [String: PicoUSD] = [:]

    var sum: PicoUSD { amounts.values.reduce(.zero, +) }
  }

  /// One accepted cost.
  struct Entry {
    var budget: Int
    var amount: PicoUSD
    var start: Timestamp
    var origin: String
  }

  /// By budget and start.
  var windows: [[Timestamp: Window]]
  var records: [[Timestamp: FleetRecord]]
  /// The start of the window that each budget's last reset began, as far as the node has heard.
  var resets: [Int: Timestamp] = [:]
  /// By the key that the client made.
  var entries: [Int: Entry] = [:]

  init(budgets: Int) {
    windows = Array(repeating: [:], count: budgets)
    records = Array(repeating: [:], count: budgets)
  }

  mutating func open(_ budget: Int, _ window: FleetSpan, origin: String) {
    windows[budget][window.start, default: Window(end: window.end)].end = window.end
    windows[budget][window.start]?.amounts[origin, default: .zero] += .zero
  }

  mutating func charge(
    _ key: Int, _ budget: Int, _ amount: PicoUSD, _ span: FleetSpan, _ origin: String
  ) {
    entries[key] = Entry(budget: budget, amount: amount, start: span.start, origin: origin)
    open(budget, span, origin: origin)
    windows[budget][span.start]?.amounts[origin, default: .zero] += amount
  }

  mutating func adopt(_ adoption: WindowAdoption, _ budget: Int, at now: Timestamp) {
    let start = adoption.record.start
    var amounts = windows[budget][start]?.amounts ?? [:]
    for old in Set(adoption.moving).subtracting([start]).sorted() {
      for (origin, amount) in windows[budget][old]?.amounts ?? [:] {
        amounts[origin, default: .zero] += amount
      }
      windows[budget][old] = nil
      records[budget][old] = nil
      for (key, entry) in entries where entry.budget == budget && entry.start == old {
        entries[key]?.start = start
      }
    }
    if !amounts.isEmpty {
      windows[budget][start] = Window(end: adoption.record.end, amounts: amounts)
    }
    for old in Set(adoption.closing).subtracting(adoption.moving).subtracting([start]) {
      if let end = windows[budget][old]?.end, end > now { windows[budget][old]?.end = now }
      if let end = records[budget][old]?.end, end > now { records[budget][old]?.end = now }
    }
    records[budget][start] = adoption.record
  }

  /// Ends every window that began before `span`, and opens that one.
  mutating func reset(_ budget: Int, _ span: FleetSpan, origin: String) -> [Timestamp] {
    let last = Timestamp(unixMilliseconds: span.start.unixMilliseconds - 1)
    let ended = windows[budget].filter { $0.key < span.start && $0.value.end > last }.map(\.key)
    for start in ended { windows[budget][start]?.end = last }
    for (start, record) in records[budget] where start < span.start && record.end > last {
      records[budget][start]?.end = last
    }
    open(budget, span, origin: origin)
    return ended
  }

  /// Whether balances are what their entries add up to.
  var isConsistent: Bool {
    var sums: [[Timestamp: [String: PicoUSD]]] = Array(repeating: [:], count: windows.count)
    for entry in entries.values {
      sums[entry.budget][entry.start, default: [:]][entry.origin, default: .zero] += entry.amount
    }
    for (sum, found) in zip(sums, windows) {
      var balances = found.mapValues { $0.amounts.filter { $0.value > .zero } }
      balances = balances.filter { !$0.value.isEmpty }
      if balances != sum { return false }
    }
    return true
  }
}

/// A window, from its start to its last instant.
struct FleetSpan: Equatable {
  var start: Timestamp
  var end: Timestamp
}
