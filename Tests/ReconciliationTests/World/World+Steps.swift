import BudgetModel
import RedisStore
import SeededRandom

@testable import Reconciliation

extension World {
  /// Amounts at both ends of what is money, and sums past what a double holds exactly.
  private static let amounts: [PicoUSD] = [
    PicoUSD(pico: 1), PicoUSD(pico: 75_000), PicoUSD(pico: 1_000_000),
    PicoUSD(pico: 12_345_678_901_234), PicoUSD(pico: 8_191_999_999_999_999),
    PicoUSD(pico: 333_333_333_333), .maximumRecord,
  ]

  func amount() -> PicoUSD {
    random.chance(0.4)
      ? PicoUSD(pico: Int128(1 + random.below(10_000_000_000_000))) : random.pick(Self.amounts)
  }

  /// Something happens. After it everything is looked at.
  func step() {
    pass(milliseconds: Int64(1 + random.below(scenario.isShort ? 600 : 400)))
    deliverDelayed()
    act()
    check()
  }

  /// While somebody waits, others act: their steps come in between.
  func interleave() {
    guard depth < 3, random.chance(0.3) else { return }
    depth += 1
    for _ in 0..<(1 + random.below(2)) {
      pass(milliseconds: Int64(random.below(30)))
      act()
      check()
    }
    depth -= 1
  }

  private func deliverDelayed() {
    while let place = delayed.firstIndex(where: { $0.due <= redis.now }) {
      let messages = delayed.remove(at: place).messages
      note("\(messages.count) messages arrive late")
      for message in messages { _ = apply(message) }
    }
  }

  private func act() {
    if disaster() { return }
    let node = random.pick(nodes)
    let draw = random.below(100)
    switch draw {
    case ..<28: request(node)
    case ..<45: commit(node)
    case ..<52: repeatRequest()
    case ..<85 where proxies.isEmpty || draw < 70: pass(node)
    case ..<85: random.pick(proxies).act()
    // A life's first reading is no jump: none begins during one.
    default: if !node.isUp, jump == 0 { start(node) }
    }
  }

  private func request(_ node: SimulatedNode) {
    let budget = random.below(budgets.count)
    let amount = amount()
    requests.append(Request(budget: budget, amount: amount, node: node.place))
    if node.isUp { node.queue.append((requests.count - 1, budget, amount)) }
  }

  private func repeatRequest() {
    guard !requests.isEmpty else { return }
    resend(random.below(requests.count))
  }

  func resend(_ key: Int) {
    let request = requests[key]
    let node = nodes[request.node]
    guard !request.isAcknowledged, node.isUp else { return }
    node.queue.append((key, request.budget, request.amount))
  }

  /// True: the store's clock went off or came back.
  private func clockJump() -> Bool {
    if jump != 0, trueTime >= jumpEnd {
      setJump(0)
    } else if jump == 0, strikes(scenario.clockJump),
      nodes.allSatisfy({ !$0.isUp || $0.hasHeard })
    {
      let hours = Int64(2 + random.below(400))
      setJump((random.chance(0.6) ? 3_600_000 : -3_600_000) * hours)
      jumpEnd = trueTime + Int64(500 + random.below(50_000))
    } else {
      return false
    }
    return true
  }

  /// True: something happened that does not happen on good days.
  private func disaster() -> Bool {
    if clockJump() { return true }
    if strikes(faults.crash) {
      crash(random.pick(nodes))
    } else if strikes(scenario.foreign) {
      spendElsewhere(random.below(budgets.count))
    } else if strikes(scenario.reload) {
      reload(random.pick(nodes))
    } else if scenario.nodeReset > 0, strikes(scenario.nodeReset) {
      operatorResets(random.below(budgets.count), on: random.pick(nodes))
    } else if strikes(scenario.reset) {
      reset(random.below(budgets.count))
    } else if faults.failover > 0, strikes(0.02) {
      snapshot = redis.entries
      watch.noteSnapshot()
      note("the replica is up to date")
    } else if let snapshot, strikes(faults.failover) {
      note("failover")
      redis.restore(snapshot)
      watch.noteLoss(.failover)
      for node in nodes { node.needsLink = true }
    } else if strikes(faults.flush) {
      note("flush")
      redis.flush()
      snapshot = nil
      watch.noteLoss(.flush)
    } else {
      return keyLoss()
    }
    return true
  }

  /// Another configuration: budgets in another order, and not all of them.
  func reload(_ node: SimulatedNode, all: Bool = false) {
    node.generation += 1
    node.inForce = budgets.indices.filter { _ in all || random.chance(0.7) }.shuffled(
      using: &random)
    node.entries = node.inForce
    if scenario.isDynamic {
      // A dynamic budget is shown again when it is news: the engine's slots go on.
      node.entries = all ? [] : node.inForce
      let gone = Set(budgets.indices).subtracting(node.entries)
      node.others = budgets.indices.map { gone.contains($0) ? node.others[$0] : nil }
    } else {
      node.others = budgets.map { _ in nil }
    }
    note("node \(node.place) has budgets \(node.inForce)")
  }

  private func keyLoss() -> Bool {
    let budget = random.below(budgets.count)
    if strikes(faults.spendKeyLoss) {
      note("a spend key goes")
      redis.lose(spends[budget])
      watch.noteLoss(.spendKey)
    } else if strikes(faults.markLoss) {
      note("a marker goes")
      redis.lose(marks[budget])
      watch.noteLoss(.mark)
    } else if strikes(faults.startKeyLoss) {
      note("a start key goes")
      redis.lose(starts[budget])
      watch.noteLoss(.startKey)
    } else {
      return false
    }
    return true
  }

  /// Somebody with the spend key's good behaviour and nothing else of the fleet's.
  private func spendElsewhere(_ budget: Int) {
    let amount = PicoUSD(pico: Int128(1 + random.below(1_000_000_000_000)))
    let key = keys[budget].spend
    _ = redis.perform([Array("INCRBYFLOAT".utf8), key, Array(amount.exactText.utf8)])
    if redis.expiry(spends[budget]) == nil {
      let end =
        redis.hash(marks[budget]).flatMap { Int64($0["fin"] ?? "") }.flatMap {
          $0 > redis.now ? $0 + 1 : nil
        }
        ?? budgets[budget].rule.window(at: Timestamp(unixMilliseconds: redis.now)).end
        .unixMilliseconds
      _ = redis.perform([Array("PEXPIREAT".utf8), key, Array("\(end)".utf8)])
    }
    watch.foreign[budget] += amount
    note("\(amount.exactText) of budget \(budget) are spent elsewhere")
  }

  /// The effect of an operator's reset, as one action.
  private func reset(_ budget: Int) {
    let start = Timestamp(unixMilliseconds: redis.now)
    let end = budgets[budget].rule.window(at: start).end
    note("reset of budget \(budget)")
    _ = redis.perform([
      Array("SET".utf8), keys[budget].start, Array(StoreNumber.text(start).utf8),
      Array("PXAT".utf8), Array("\(end.unixMilliseconds + 1)".utf8),
    ])
    let words = [
      "RESET", "\(start.unixMilliseconds)", "\(end.unixMilliseconds)",
      "\(end.unixMilliseconds - start.unixMilliseconds)", "e", "0", "-",
    ]
    _ = runScript(
      RedisScriptCall(
        keys: [keys[budget].spend, keys[budget].mark], arguments: words.map { Array($0.utf8) }))
  }
}
