import BudgetModel
import RedisStore

/// One budget's keys in the store.
struct BudgetKeys: Hashable, Sendable {
  var spend: [UInt8]
  var start: [UInt8]
  var mark: [UInt8]

  /// Nil: the budget's name has braces for which no marker can be named.
  init?(_ key: BudgetKey, in keys: RedisKeys) {
    guard keys.complaint(key) == nil else { return nil }
    spend = keys.spendKey(key)
    start = keys.startKey(key)
    mark = keys.markKey(key)
  }
}
