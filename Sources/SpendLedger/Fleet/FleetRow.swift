import BudgetModel

/// A window of the fleet as its row has it.
struct FleetRow: Equatable {
  var budget: Int64
  var start: Int64
  var end: Int64
  var total: PicoUSD
  var highest: PicoUSD
  var confirmed: String
  var nodes: Int64
  var at: Int64

  /// More nodes than a fleet has.
  private static let nodeBound = 1_000_000

  /// The row of a window; amounts that other programs wrote to the store, and that no window can
  /// hold, are cut to what one can.
  init(_ window: FleetWindow, budget: Int64) {
    func bounded(_ amount: PicoUSD) -> PicoUSD { min(max(amount, .zero), .maximumTotal) }
    self.budget = budget
    start = window.window.start.unixMilliseconds
    end = window.window.end.unixMilliseconds
    total = bounded(window.total)
    highest = bounded(window.highest)
    confirmed = ConfirmedText.text(window.confirmed)
    nodes = Int64(min(max(window.nodes, 1), Self.nodeBound))
    at = window.at.unixMilliseconds
  }

  init(
    budget: Int64, start: Int64, end: Int64, total: PicoUSD, highest: PicoUSD, confirmed: String,
    nodes: Int64, at: Int64
  ) {
    self.budget = budget
    self.start = start
    self.end = end
    self.total = total
    self.highest = highest
    self.confirmed = confirmed
    self.nodes = nodes
    self.at = at
  }

  /// The window; nil where the row makes no sense.
  func window(of key: BudgetKey) -> FleetWindow? {
    guard let confirmed = ConfirmedText.confirmed(in: confirmed) else { return nil }
    var window = FleetWindow(
      window: BudgetWindow(
        key: key, start: Timestamp(unixMilliseconds: start), end: Timestamp(unixMilliseconds: end)),
      at: Timestamp(unixMilliseconds: at))
    window.total = total
    window.highest = highest
    window.confirmed = confirmed
    window.nodes = Int(nodes)
    return window
  }

  var seal: Int64 {
    var seal = RowSeal(5)
    for value in [
      budget, start, end, total.wholeDollars, total.restPico, highest.wholeDollars,
      highest.restPico, nodes, at,
    ] { seal.add(value) }
    seal.add(confirmed)
    return seal.value
  }
}
