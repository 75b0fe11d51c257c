import BudgetModel
import RedisStore

/// One call of the spend script: this node's totals of one window.
struct MergeCall {
  /// One origin's part.
  struct Part: Hashable {
    var origin: String
    var cumulative: PicoUSD
    var confirmed: PicoUSD
  }

  /// More go into further calls: Lua passes that many values on its stack.
  static let maximumParts = 256

  var window: FleetWindow
  /// The window's length on the store's clock, in milliseconds.
  var length: Int64
  /// The spend key when the store last confirmed something of this node's; zero: it never has.
  var highest: PicoUSD
  /// Whether the spend key's late end was looked into, and the start key stayed as it was.
  var isForced: Bool
  /// A random word, kept in the marker if this call makes it.
  var epoch: String
  var parts: [Part]

  func scriptCall(spendKey: [UInt8], markKey: [UInt8]) -> RedisScriptCall {
    var words = [
      "SYNC", "\(window.start.unixMilliseconds)", "\(window.end.unixMilliseconds)", "\(length)",
      epoch, highest.exactText, isForced ? "F" : "-",
    ]
    for part in parts {
      words.append(part.origin)
      words.append(part.cumulative.twelveDecimals)
      words.append(part.confirmed.twelveDecimals)
    }
    return RedisScriptCall(keys: [spendKey, markKey], arguments: words.map { Array($0.utf8) })
  }
}
