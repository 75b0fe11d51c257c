import BudgetModel
public import RedisStore

extension Reconciler {
  fileprivate static func words(_ words: String...) -> [[UInt8]] { words.map { Array($0.utf8) } }

  /// The store's clock, and the node's sign of life.
  mutating func hearClock(
    _ node: some FleetNode, _ store: inout some FleetStore, _ report: inout PassReport
  ) throws(PassFailure) {
    let replies = try store.answers(to: [Self.words("TIME")])
    guard let time = replies[0].time else {
      throw PassFailure(replies[0], to: "TIME")
    }
    do throws(ClockDoubt) {
      try node.heard(time, roundTrip: store.lastRoundTrip)
    } catch {
      throw .clock(error)
    }
    report.time = time
  }

  /// Reads the spend and start keys of `chosen`, and with the first of them who lives.
  mutating func pull(
    _ chosen: [Int], _ store: inout some FleetStore, _ node: some FleetNode,
    _ report: inout PassReport
  ) throws(PassFailure) {
    var commands = redisKeys.living(
      node.nodeID, at: report.time, for: settings.nodeMemoryMilliseconds)
    // Nodes that went for good do not stay in the store for ever.
    if passes % 600 == 599 { commands += redisKeys.forgotten(at: report.time) }
    let listing =
      occasion == .lastCall ? nil : claimBook.listing.question(redisKeys, at: report.time)
    let ended = mail.question(node)
    let replies = try read(
      chosen, after: commands + [listing, ended].compactMap { $0 }, &store, &report)
    try report.countNodes(replies[0], replies[1], known: budgets.nodeCount)
    if listing != nil { claimBook.listing.take(replies[commands.count]) }
    if ended != nil, let reply = replies.last { mail.take(reply, node) }
  }

  /// Reads the spend and start keys of budgets; gives the replies to what goes before.
  @discardableResult
  mutating func read(
    _ chosen: [Int], after commands: [[[UInt8]]] = [], _ store: inout some FleetStore,
    _ report: inout PassReport
  ) throws(PassFailure) -> [RedisValue] {
    let keys = chosen.flatMap { [budgets[$0].keys.spend, budgets[$0].keys.start] }
    let found: (replies: [RedisValue], values: [RedisValue])
    do throws(RedisError) {
      found = try store.perform(commands, reading: keys)
    } catch {
      throw .store(error)
    }
    guard found.replies.count == commands.count, found.values.count == keys.count else {
      throw .unexpectedReply(command: "a pipeline")
    }
    for (place, index) in chosen.enumerated() {
      try take(
        spend: found.values[2 * place], start: found.values[2 * place + 1], at: index, &report)
    }
    return found.replies
  }

  private mutating func take(
    spend: RedisValue, start: RedisValue, at index: Int, _ report: inout PassReport
  ) throws(PassFailure) {
    budgets[index].isAway = false
    if let refusal = spend.refusal ?? start.refusal {
      try budgets.passOver(refusal, at: index, &report)
      return
    }
    guard [spend, start].allSatisfy({ $0 == .null || $0.bytes != nil }) else {
      throw .unexpectedReply(command: "MGET")
    }
    if let fault = budgets[index].take(spend: spend.bytes, start: start.bytes, at: report.time) {
      report.fault(budgets[index].key, fault)
    }
  }
}

extension PassFailure {
  /// The pass's failure for a reply of the wrong kind.
  init(_ reply: RedisValue, to command: String) {
    self = reply.refusal.map { .refused($0) } ?? .unexpectedReply(command: command)
  }
}

extension RedisKeys {
  /// The commands that say that a node lives, and ask how many do.
  fileprivate func living(
    _ nodeID: String, at now: Timestamp, for milliseconds: Int64
  ) -> [[[UInt8]]] {
    let now = now.unixMilliseconds
    return [
      [Array("ZADD".utf8), nodesKey] + Reconciler.words("\(now)", nodeID),
      [Array("ZCOUNT".utf8), nodesKey] + Reconciler.words("\(now - milliseconds)", "+inf"),
    ]
  }

  /// The commands that forget nodes which have not lived for a day, and claims that ended then.
  fileprivate func forgotten(at now: Timestamp) -> [[[UInt8]]] {
    let before = Reconciler.words("-inf", "\(now.unixMilliseconds - 86_400_000)")
    return [nodesKey, claimedKey].map { [Array("ZREMRANGEBYSCORE".utf8), $0] + before }
  }
}

extension RedisValue {
  /// The instant in TIME's reply; nil: it is something else.
  var time: Timestamp? {
    guard let parts = array, parts.count == 2,
      let seconds = parts[0].bytes.flatMap({ Int64(String(decoding: $0, as: UTF8.self)) }),
      let micros = parts[1].bytes.flatMap({ Int64(String(decoding: $0, as: UTF8.self)) }),
      (0...253_402_300_799).contains(seconds), (0..<1_000_000).contains(micros)
    else { return nil }
    return Timestamp(unixMilliseconds: seconds * 1_000 + micros / 1_000)
  }
}

extension FleetStore {
  /// The replies to `commands`, one for each. Throws where the store is not to be had, or says anything
  /// else.
  public mutating func answers(to commands: [[[UInt8]]]) throws(PassFailure) -> [RedisValue] {
    let replies: [RedisValue]
    do throws(RedisError) {
      replies = try perform(commands)
    } catch {
      throw .store(error)
    }
    guard replies.count == commands.count else { throw .unexpectedReply(command: "a pipeline") }
    return replies
  }
}

extension PassReport {
  /// How many nodes live. A key that cannot be used costs only that: what was last known holds.
  fileprivate mutating func countNodes(
    _ added: RedisValue, _ counted: RedisValue, known: Int
  ) throws(PassFailure) {
    if let refusal = added.refusal ?? counted.refusal {
      nodes = known
      if refusal.kind == .nodeAway { return noteAway(refusal) }
      guard refusal.isAboutOneKey else { throw .refused(refusal) }
      nodesFault = "\(refusal)"
      return
    }
    guard let living = counted.integer else { throw PassFailure(counted, to: "ZCOUNT") }
    nodes = max(1, Int(clamping: living))
  }
}
