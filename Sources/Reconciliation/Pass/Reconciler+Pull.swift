import BudgetModel
import RedisStore

extension Reconciler {
  private static func words(_ words: String...) -> [[UInt8]] { words.map { Array($0.utf8) } }

  /// The store's clock, and the node's sign of life.
  mutating func hearClock(
    _ node: some FleetNode, _ store: inout some FleetStore, _ report: inout PassReport
  ) throws(PassFailure) {
    let replies = try perform([Self.words("TIME")], &store)
    guard let time = Self.time(replies[0]) else {
      throw failure(of: replies[0], to: "TIME")
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
    let now = report.time.unixMilliseconds
    var commands = [
      [Array("ZADD".utf8), redisKeys.nodesKey] + Self.words("\(now)", node.nodeID),
      [Array("ZCOUNT".utf8), redisKeys.nodesKey]
        + Self.words("\(now - settings.nodeMemoryMilliseconds)", "+inf"),
    ]
    commands += reads(of: chosen)
    let count = commands.count
    if passes % 600 == 599 {
      // Nodes that went for good do not stay in the store for ever.
      commands.append(
        [Array("ZREMRANGEBYSCORE".utf8), redisKeys.nodesKey]
          + Self.words("-inf", "\(now - 86_400_000)"))
    }
    let replies = try perform(commands, &store)
    try countNodes(replies[0], replies[1], &report)
    try take(replies[2..<count], of: chosen, &report)
  }

  /// Reads the spend and start keys of budgets that come after the others.
  mutating func read(
    _ chosen: [Int], _ store: inout some FleetStore, _ report: inout PassReport
  ) throws(PassFailure) {
    let replies = try perform(reads(of: chosen), &store)
    try take(replies[...], of: chosen, &report)
  }

  private func reads(of chosen: [Int]) -> [[[UInt8]]] {
    let half = settings.readBound / 2
    return stride(from: 0, to: chosen.count, by: half).map { start in
      var command = Self.words("MGET")
      for index in chosen[start..<min(start + half, chosen.count)] {
        command.append(states[index].keys.spend)
        command.append(states[index].keys.start)
      }
      return command
    }
  }

  private mutating func take(
    _ replies: ArraySlice<RedisValue>, of chosen: [Int], _ report: inout PassReport
  ) throws(PassFailure) {
    var rest = chosen[...]
    for reply in replies {
      let count = min(settings.readBound / 2, rest.count)
      guard let values = reply.array, values.count == 2 * count else {
        throw failure(of: reply, to: "MGET")
      }
      for (place, index) in rest.prefix(count).enumerated() {
        take(spend: values[2 * place], start: values[2 * place + 1], at: index, &report)
      }
      rest = rest.dropFirst(count)
    }
  }

  /// How many nodes live. A key that cannot be used costs only that: what was last known holds.
  private func countNodes(
    _ added: RedisValue, _ counted: RedisValue, _ report: inout PassReport
  ) throws(PassFailure) {
    if let refusal = added.refusal ?? counted.refusal {
      guard refusal.isAboutOneKey else { throw .refused(refusal) }
      report.nodesFault = "\(refusal)"
      report.nodes = nodeCount
      return
    }
    guard let living = counted.integer else { throw failure(of: counted, to: "ZCOUNT") }
    report.nodes = max(1, Int(clamping: living))
  }

  private mutating func take(
    spend: RedisValue, start: RedisValue, at index: Int, _ report: inout PassReport
  ) {
    states[index].startText = start.bytes
    states[index].isBroken = false
    if let stale = states[index].staleUntil {
      guard report.time > stale else {
        states[index].total = nil
        states[index].hasFallen = false
        return
      }
      states[index].staleUntil = nil
    }
    let before = max(states[index].total ?? .zero, states[index].confirmed)
    guard let bytes = spend.bytes else {
      states[index].hasFallen = before > .zero
      states[index].total = nil
      return
    }
    guard let amount = StoreNumber.amount(String(decoding: bytes, as: UTF8.self)) else {
      states[index].isBroken = true
      report.fault(states[index].key, "its spend key holds no number")
      return
    }
    // The key is a long double: a part in 10¹² is rounding.
    let dust = PicoUSD(pico: 1 + before.pico / 1_000_000_000_000)
    states[index].hasFallen = amount + dust < before
    states[index].total = max(.zero, amount)
  }

  func perform(
    _ commands: [[[UInt8]]], _ store: inout some FleetStore
  ) throws(PassFailure) -> [RedisValue] {
    let replies: [RedisValue]
    do throws(RedisError) {
      replies = try store.perform(commands)
    } catch {
      throw .store(error)
    }
    guard replies.count == commands.count else { throw .unexpectedReply(command: "a pipeline") }
    return replies
  }

  /// The pass's failure for a reply of the wrong kind.
  func failure(of reply: RedisValue, to command: String) -> PassFailure {
    if let refusal = reply.refusal { return .refused(refusal) }
    return .unexpectedReply(command: command)
  }

  static func time(_ reply: RedisValue) -> Timestamp? {
    guard let parts = reply.array, parts.count == 2,
      let seconds = parts[0].bytes.flatMap({ Int64(String(decoding: $0, as: UTF8.self)) }),
      let micros = parts[1].bytes.flatMap({ Int64(String(decoding: $0, as: UTF8.self)) }),
      (0...253_402_300_799).contains(seconds), (0..<1_000_000).contains(micros)
    else { return nil }
    return Timestamp(unixMilliseconds: seconds * 1_000 + micros / 1_000)
  }
}
