import BudgetModel
import RedisStore

extension Reconciler {
  /// Runs the script for the budgets that need it.
  mutating func merge(
    _ chosen: [Int], _ node: some FleetNode, _ store: inout some FleetStore,
    _ report: inout PassReport
  ) throws(PassFailure) {
    let merges = chosen.filter { !budgets[$0].isAway }.flatMap { index in
      // Those of entries each go alone, so their slots are of no use.
      calls(
        for: index,
        slot: budgets[index].dynamic.map { _ in store.slot(of: budgets[index].keys.spend) },
        node, needsMerge: budgets[index].needsMerge(settings, at: report.time))
    }
    try send(merges, node, &store, &report)
  }

  /// Runs the script for each, in slices.
  mutating func send(
    _ merges: [MergeBatch.Merge], _ node: some FleetNode, _ store: inout some FleetStore,
    _ report: inout PassReport
  ) throws(PassFailure) {
    var start = 0
    while start < merges.count {
      let batch = MergeBatch(merges[start..<min(start + settings.mergeBound, merges.count)])
      let replies: [RedisValue]
      do throws(RedisError) {
        replies = try store.evaluate(batch.scriptCalls)
      } catch {
        throw .store(error)
      }
      guard let answers = batch.answers(replies) else {
        throw .unexpectedReply(command: "EVALSHA")
      }
      for (merge, answer) in answers {
        if let refusal = answer.refusal, merge.offer != nil,
          claimBook.passOver(refusal, for: &budgets[merge.index], at: node.now())
        {
          report.claimRefused(refusal, for: budgets[merge.index])
          continue
        }
        try take(answer, to: merge.call, at: merge.index, &report)
        report.note(claimBook.take(answer, to: merge, for: &budgets[merge.index], node))
      }
      start += batch.count
    }
  }

  private mutating func take(
    _ value: RedisValue, to call: MergeCall, at index: Int, _ report: inout PassReport
  ) throws(PassFailure) {
    if let refusal = value.refusal {
      guard refusal.isAboutOneKey else { return try budgets.passOver(refusal, at: index, &report) }
      report.fault(budgets[index].key, budgets[index].keys.words(refusal))
      return
    }
    guard let reply = MergeReply.read(value, to: call) else {
      throw .unexpectedReply(command: "the script")
    }
    // Behind two looks at the start key a key that stays another's is this window's.
    if reply.outcome != .foreign {
      budgets[index].foreignCount = 0
    } else if !isOnDemand {
      budgets[index].foreignCount += 1
    }
    switch reply.outcome {
    case .merged, .new, .markerLost, .spendKeyLost, .ending, .reset:
      try confirm(reply, of: call, at: index, &report)
    case .stale:
      // Over, or another window has its place: the next look at the keys tells which.
      if reply.window.start != call.window.start { budgets[index].isContested = true }
    case .waiting:
      // Until it is gone the key's value is the finished window's.
      budgets[index].total = nil
      budgets[index].hasFallen = false
    case .unreset:
      budgets[index].lostReset()
      budgets[index].total = nil
    case .foreign: break
    }
  }

  private mutating func confirm(
    _ reply: MergeReply, of call: MergeCall, at index: Int, _ report: inout PassReport
  ) throws(PassFailure) {
    guard reply.stored.count == call.parts.count else {
      throw .unexpectedReply(command: "the script")
    }
    report.merged += 1
    report.added = StoreNumber.sum(report.added, reply.added)
    if reply.outcome == .markerLost || reply.outcome == .spendKeyLost { report.mended += 1 }
    for (part, stored) in zip(call.parts, reply.stored) {
      // More than we know of is another life's of a restored backup: not ours to take off.
      budgets[index].record?.confirmed[part.origin] = min(stored, part.cumulative)
    }
    // Without a spend key, at a window's end, at least what the nodes have spent is known.
    budgets[index].total = max(.zero, reply.total ?? reply.sum)
    budgets[index].hasFallen = false
    // Merged: by then the key was this window's, carried over by LiteLLM perhaps.
    budgets[index].staleUntil = nil
    // Not what a pull finds: the key also grows after a marker was made anew, by what others push,
    // and what it held when that marker was made would then seem too little to have held this.
    budgets[index].record?.highest = max(.zero, reply.total ?? .zero)
    // Not the script's own time: the store's clock may have jumped since it was judged.
    budgets[index].mergedAt = report.time
    budgets[index].isUnremembered = true
    budgets[index].dynamic?.isInherited = false
    // Everybody has the marker's end.
    if reply.window.end != call.window.end { budgets[index].isContested = true }
  }
}

extension BudgetState {
  /// Whether the script is run for the budget.
  func needsMerge(_ settings: ReconcilerSettings, at now: Timestamp) -> Bool {
    guard let record, !isBroken else { return false }
    if let dynamic {
      // Its news waits; its marker is looked at in turns.
      guard dynamic.tells || hasFallen else { return false }
      return hasNews || windows[record.start].map { $0.sum > .zero } ?? false
    }
    if hasNews || hasFallen { return true }
    guard let own = windows[record.start], own.sum > .zero else { return false }
    guard let mergedAt else { return true }
    return now.unixMilliseconds - mergedAt.unixMilliseconds >= settings.markerCheckMilliseconds
  }

  /// The calls for one budget: one, unless it has very many origins. The last one has the claim, so
  /// that the spend beside it has been told by then. `mayForce`: the start key was read just now.
  func mergeCalls(claiming claim: ClaimCall? = nil, mayForce: Bool = true) -> [MergeCall] {
    guard let record else { return [] }
    let own = windows[record.start] ?? OwnWindow(end: record.end)
    let window = Window(start: record.start, end: record.end)
    let parts = own.parts.filter { $0.value > .zero }.sorted { $0.key < $1.key }.map {
      MergeCall.Part(
        origin: $0.key, cumulative: $0.value, confirmed: record.confirmed[$0.key] ?? .zero)
    }
    // A claim may come before the first spend.
    let end = max(parts.count, claim == nil ? 0 : 1)
    return stride(from: 0, to: end, by: MergeCall.maximumParts).map { first in
      let last = min(first + MergeCall.maximumParts, parts.count)
      return MergeCall(
        window: window, length: rule.milliseconds(of: window),
        highest: record.highest, isForced: mayForce && foreignCount >= 2,
        isOfReset: reset == record.start,
        epoch: String(UInt32.random(in: .min ... .max), radix: 16),
        parts: Array(parts[first..<last]), claim: last == parts.count ? claim : nil)
    }
  }
}

extension BudgetKeys {
  /// The meaning of the script's refusal, and the way out.
  func words(_ refusal: RedisRefusal) -> String {
    func text(_ key: [UInt8]) -> String { String(decoding: key, as: UTF8.self) }
    if refusal.text.contains("BDTYPE the marker") {
      return "its marker \(text(mark)) in Redis holds no amount: delete that key, and the "
        + "nodes make it again"
    }
    if refusal.text.contains("BDTYPE the spend key") {
      return "its spend key \(text(spend)) in Redis holds no number: delete that key, and the "
        + "nodes make it again"
    }
    if refusal.text.contains("BDARG bad claim") {
      return "its claims were not understood"
    }
    if refusal.text.contains("BDRANGE") {
      return "the nodes' spend in its marker \(text(mark)) in Redis adds up to 10^24 $ "
        + "or more"
    }
    return "\(refusal)"
  }
}
