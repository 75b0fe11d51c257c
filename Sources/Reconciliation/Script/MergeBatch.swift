import BudgetModel
import RedisStore

/// Merges on their way to the store at once. Those of dynamic budgets go many in one call: that costs
/// the store a quarter.
struct MergeBatch {
  /// One merge of one budget.
  struct Merge {
    /// The place of its state.
    var index: Int
    var call: MergeCall
    var keys: BudgetKeys
    /// The slot of its keys, where it may go in one call with others of it; nil: it goes alone.
    var slot: Int?
    /// The claim that goes beside the spend.
    var offer: BudgetClaims.Offer?
  }

  /// The merges that may go in one call.
  private struct Company: Hashable {
    var window: Window
    var slot: Int
  }

  /// So many go in one call: the store does nothing else meanwhile.
  static let mergesPerCall = 50

  private(set) var scriptCalls: [RedisScriptCall] = []
  /// The merges of each call, and whether its reply is a list of replies.
  private var groups: [(merges: [Merge], isMany: Bool)] = []
  let count: Int

  init(_ merges: some Collection<Merge>) {
    count = merges.count
    var together: [Company: [Merge]] = [:]
    var order: [Company] = []
    for merge in merges {
      guard let slot = merge.slot, merge.call.parts.count == 1, !merge.call.isForced,
        !merge.call.isOfReset, merge.call.claim == nil
      else {
        groups.append(([merge], false))
        scriptCalls.append(
          merge.call.scriptCall(spendKey: merge.keys.spend, markKey: merge.keys.mark))
        continue
      }
      let company = Company(window: merge.call.window, slot: slot)
      if together[company] == nil { order.append(company) }
      together[company, default: []].append(merge)
      if together[company]?.count == Self.mergesPerCall {
        addMany(together.removeValue(forKey: company) ?? [])
        order.removeAll { $0 == company }
      }
    }
    for company in order { addMany(together[company] ?? []) }
  }

  private mutating func addMany(_ merges: [Merge]) {
    guard let first = merges.first?.call else { return }
    var words = [
      "MANY", "\(first.window.start.unixMilliseconds)", "\(first.window.end.unixMilliseconds)",
      "\(first.length)", first.epoch,
    ]
    var keys: [[UInt8]] = []
    for merge in merges {
      keys.append(merge.keys.spend)
      keys.append(merge.keys.mark)
      words.append(merge.call.highest.exactText)
      for part in merge.call.parts {
        words += [part.origin, part.cumulative.twelveDecimals, part.confirmed.twelveDecimals]
      }
    }
    groups.append((merges, true))
    scriptCalls.append(RedisScriptCall(keys: keys, arguments: words.map { Array($0.utf8) }))
  }

  /// The answer to each merge; nil: the store sent something else.
  func answers(_ replies: [RedisValue]) -> [(merge: Merge, answer: RedisValue)]? {
    guard replies.count == groups.count else { return nil }
    var answers: [(merge: Merge, answer: RedisValue)] = []
    for (group, reply) in zip(groups, replies) {
      if !group.isMany || reply.refusal != nil {
        answers += group.merges.map { ($0, reply) }
        continue
      }
      guard let values = reply.array, values.count == group.merges.count else { return nil }
      answers += zip(group.merges, values).map { ($0, $1) }
    }
    return answers
  }
}
