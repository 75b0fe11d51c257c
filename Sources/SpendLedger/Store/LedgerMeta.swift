import BudgetModel

/// The single facts of the database, each a named text.
struct LedgerMeta {
  var nodeID = ""
  /// Machine and inode that the database was last used at.
  var place = ""
  /// Balances hold all batches up to this row.
  var foldedThrough: Int64 = 0
  /// Commits up to this time had their keys forgotten early.
  var forgottenThrough: Int64 = .min
  var clock: ClockMark?
  /// The costs of requests so far, by their kinds.
  var learned: [LearnedCost] = []
  /// Alerts that were told.
  var alerts: [KeptAlert] = []

  enum Name {
    static let nodeID = "node_id"
    static let place = "place"
    static let foldedThrough = "folded_through"
    static let forgottenThrough = "forgotten_through_ms"
    static let clock = "clock"
    /// Begins the names of what requests have cost.
    static let cost = "cost:"
    /// Begins the names of alerts that were told.
    static let alert = "alert:"
  }

  /// Takes one row in; false: the value makes no sense.
  mutating func take(_ name: String, _ value: String) -> Bool {
    switch name {
    case Name.nodeID: nodeID = value
    case Name.place: place = value
    case Name.foldedThrough:
      guard let number = Int64(value) else { return false }
      foldedThrough = number
    case Name.forgottenThrough:
      guard let number = Int64(value) else { return false }
      forgottenThrough = number
    case Name.clock:
      let parts = value.split(separator: " ", omittingEmptySubsequences: false)
      guard parts.count == 3, let time = Int64(parts[0]), let boottime = Int64(parts[1]) else {
        return false
      }
      clock = ClockMark(
        time: Timestamp(unixMilliseconds: time), boottimeMilliseconds: boottime,
        bootID: String(parts[2]))
    default:
      if name.hasPrefix(Name.cost), let cost = Self.cost(name, value) { learned.append(cost) }
      if name.hasPrefix(Name.alert), let alert = Self.alert(name, value) { alerts.append(alert) }
    }
    return true
  }

  /// An expectation is no money: one that makes no sense is left out.
  private static func cost(_ name: String, _ value: String) -> LearnedCost? {
    let parts = value.split(separator: " ")
    guard let key = UInt128(name.dropFirst(Name.cost.count), radix: 16), parts.count == 3,
      let count = Int64(parts[0]), let mean = Double(parts[1]), let variance = Double(parts[2])
    else { return nil }
    let cost = LearnedCost(key: key, count: count, mean: mean, variance: variance)
    return cost.isSound ? cost : nil
  }

  /// An alert is no money either.
  private static func alert(_ name: String, _ value: String) -> KeptAlert? {
    let parts = value.split(separator: " ")
    guard parts.count == 2, let until = Int64(parts[0]) else { return nil }
    return KeptAlert(
      id: String(name.dropFirst(Name.alert.count)), family: String(parts[1]),
      until: Timestamp(unixMilliseconds: until))
  }

  static func name(of alert: KeptAlert) -> String { Name.alert + alert.id }

  static func text(_ alert: KeptAlert) -> String {
    "\(alert.until.unixMilliseconds) \(alert.family)"
  }

  static func name(of cost: LearnedCost) -> String { Name.cost + String(cost.key, radix: 16) }

  static func text(_ cost: LearnedCost) -> String {
    "\(cost.count) \(cost.mean) \(cost.variance)"
  }

  static func text(_ mark: ClockMark) -> String {
    "\(mark.time.unixMilliseconds) \(mark.boottimeMilliseconds) \(mark.bootID)"
  }
}
