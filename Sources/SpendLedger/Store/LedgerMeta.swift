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

  enum Name {
    static let nodeID = "node_id"
    static let place = "place"
    static let foldedThrough = "folded_through"
    static let forgottenThrough = "forgotten_through_ms"
    static let clock = "clock"
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
    default: break
    }
    return true
  }

  static func text(_ mark: ClockMark) -> String {
    "\(mark.time.unixMilliseconds) \(mark.boottimeMilliseconds) \(mark.bootID)"
  }
}
