import BudgetModel
import RedisStore

@testable import Reconciliation

extension World {
  /// Runs a whole life: steps with faults, then none, then everybody agrees. A fault is thrown.
  func run() throws(Failure) {
    for _ in 0..<scenario.steps {
      step()
      if let failure { throw failure }
    }
    heal()
    if let failure { throw failure }
    checkLedgers()
    checkAgreement()
    checkResets()
    if failure == nil { checkIdlePasses() }
    if let failure { throw failure }
  }

  /// No faults any more: all costs are recorded, and the nodes pass a few times.
  private func heal() {
    note("heals")
    if jump != 0 { setJump(0) }
    faults = .none
    isHealing = true
    depth = 3
    defer { depth = 0 }
    for message in delayed.flatMap(\.messages) { _ = apply(message) }
    delayed = []
    for proxy in proxies { proxy.heal() }
    for node in nodes where !node.isUp { start(node) }
    if scenario.reload > 0 { for node in nodes { reload(node, all: true) } }
    for key in requests.indices { resend(key) }
    for node in nodes { commit(node) }
    round(3)
    if scenario.isShort {
      // Markers are looked at once a minute; here windows are shorter, so as after a new link.
      for node in nodes { node.needsLink = true }
    } else {
      pass(milliseconds: settings.markerCheckMilliseconds + 1)
    }
    round(3)
    waitForEnds()
    round(2)
    if scenario.isDynamic {
      // News waits, and so do questions about others' spend.
      for turn in 0..<3 {
        pass(milliseconds: settings.longestNewsWait.wholeMilliseconds + 1)
        round(1)
        if turn == 1 { waitForEnds() }
      }
    }
  }

  /// A finished window's spend key is waited for, and so is whoever finds a marker that is another's.
  private func waitForEnds() {
    var isWaiting = true
    for _ in 0..<50 where isWaiting {
      let waits = waitCount
      pass(milliseconds: 200)
      round(1)
      isWaiting = waitCount != waits || budgets.indices.contains(where: isEnding)
    }
  }

  private var waitCount: Int {
    (watch.outcomes["WAIT"] ?? 0) + (watch.outcomes["FOREIGN"] ?? 0)
  }

  /// Whether a start key is still there though its window is over: at most two seconds.
  private func isEnding(_ budget: Int) -> Bool {
    guard let start = redis.text(starts[budget]).flatMap(StoreNumber.instant) else { return false }
    return budgets[budget].rule.window(at: start).end.unixMilliseconds < redis.now
  }

  /// Every node passes so many times.
  private func round(_ times: Int) {
    for _ in 0..<times {
      for node in nodes {
        if !pass(node) { fail("I18: a pass fails without a fault") }
        pass(milliseconds: 1)
        for proxy in proxies { proxy.flush() }
      }
      check()
    }
  }

  /// I1: every cost that a client was told is recorded, and all are here, is in one ledger, once.
  private func checkLedgers() {
    for (key, request) in requests.enumerated() {
      let holders = nodes.filter { $0.ledger.entries[key] != nil }
      if holders.count != 1 || holders[0].place != request.node
        || holders[0].ledger.entries[key]?.amount != request.amount
      {
        fail("I1: request \(key) is in \(holders.count) ledgers")
      }
    }
    for node in nodes where !node.ledger.isConsistent {
      fail("I2: a balance of node \(node.place) is not the sum of its entries")
    }
  }

  private func checkAgreement() {
    for budget in budgets.indices {
      let adopted = nodes.map { node in
        (node.reconciler?.state(of: budgets[budget].key)?.adopted)
          .flatMap { $0.end.unixMilliseconds < redis.now ? nil : $0 }
      }
      // A window that is about to end, or has just ended, is not one that everybody can have.
      let rule = budgets[budget].rule
      let slack = WindowDecision.slack(
        length: rule.milliseconds(of: rule.window(at: Timestamp(unixMilliseconds: redis.now))))
      let ends =
        adopted.compactMap { $0?.end.unixMilliseconds }
        + nodes.compactMap { $0.open[budget]?.end.unixMilliseconds }
      if ends.contains(where: { $0 < redis.now + slack + 1_500 && $0 > redis.now - 100 }) {
        continue
      }
      checkOneWindow(budget, adopted)
    }
  }

  private func checkOneWindow(_ budget: Int, _ adopted: [Window?]) {
    let now = redis.now
    guard let window = adopted.compactMap({ $0 }).first else {
      for node in nodes
      where node.ledger.windows[budget].contains(where: { _, window in
        window.end.unixMilliseconds >= now && window.sum > .zero
      }) {
        fail(
          "I18: spend of an open window of budget \(budget) is nobody's but node "
            + "\(node.place)'s: "
            + "\(node.ledger.windows[budget].filter { $0.value.end.unixMilliseconds >= now })")
      }
      return
    }
    // A calendar's window is everybody's by itself: until somebody spends in it not all look at it.
    let isUnspent = nodes.allSatisfy {
      $0.ledger.windows[budget][window.start].map { $0.sum == .zero } ?? true
    }
    let maySkip = isUnspent && budgets[budget].rule.rollingLength == nil
    for (node, other) in zip(nodes, adopted) where concerns(node, budget, window) {
      if other == nil, maySkip { continue }
      guard let other, other.start == window.start,
        abs(other.end.unixMilliseconds - window.end.unixMilliseconds) <= 2_000
      else {
        return fail(
          "I8: node \(node.place) has \(String(describing: other)) for budget \(budget), "
            + "another \(window)")
      }
      if let open = node.open[budget], open.start != window.start,
        open.end.unixMilliseconds >= now
      {
        fail("I8: node \(node.place)'s engine counts in \(open), the fleet in \(window)")
      }
    }
    let fields = redis.hash(marks[budget]) ?? [:]
    let isMarked = fields["w"] == "\(window.start.unixMilliseconds)"
    let sum = isMarked ? PicoUSD(twelveDecimals: fields["sum"] ?? "") ?? .zero : .zero
    var expected = PicoUSD.zero
    for node in nodes {
      for (origin, amount) in node.ledger.windows[budget][window.start]?.amounts ?? [:] {
        expected += max(amount, lateMove(budget, window, origin, fields))
      }
    }
    for origin in Set(watch.moved.map(\.origin))
    where !nodes.contains(where: {
      $0.ledger.windows[budget][window.start]?.amounts[origin] != nil
    }) { expected += lateMove(budget, window, origin, fields) }
    if sum != (isMarked ? expected : .zero) || !isMarked && expected != .zero {
      for node in nodes {
        note("node \(node.place): \(node.ledger.windows[budget][window.start]?.amounts ?? [:])")
        note("  knows \(String(describing: node.reconciler?.state(of: budgets[budget].key)))")
      }
      note("the marker: \(fields)")
      fail(
        "I5: the marker of budget \(budget) has \(sum.exactText), the ledgers "
          + "\(expected.exactText)")
    }
    if scenario.clockJump > 0 {
      let all = requests.filter { $0.budget == budget }.map(\.amount).reduce(.zero, +)
      if sum != all {
        fail("I19: a jump of the clock ended a window: \(sum.exactText) of \(all.exactText)")
      }
    }
    checkSpendKey(budget, window, sum)
  }

  /// Whether the node has to know of the window: of a dynamic budget only after a charge of its own.
  private func concerns(_ node: SimulatedNode, _ budget: Int, _ window: Window) -> Bool {
    guard scenario.isDynamic else { return true }
    return node.ledger.windows[budget].contains { start, own in
      own.sum > .zero && (start == window.start || own.end.unixMilliseconds >= redis.now)
    }
  }

  /// The part of the marker that is a balance which was moved away and came back with a late
  /// message.
  private func lateMove(
    _ budget: Int, _ window: Window, _ origin: String, _ fields: [String: String]
  ) -> PicoUSD {
    let balance = Watch.Balance(budget: budget, start: window.start, origin: origin)
    guard watch.moved.contains(balance), scenario.faults.network > 0,
      fields["w"] == "\(window.start.unixMilliseconds)"
    else { return .zero }
    return (fields["c:" + origin]).flatMap { PicoUSD(twelveDecimals: $0) } ?? .zero
  }

  private func checkSpendKey(_ budget: Int, _ window: Window, _ sum: PicoUSD) {
    let text = redis.text(spends[budget])
    guard let total = text.map({ StoreNumber.amount($0) ?? .zero }) ?? .some(.zero) else { return }
    // A long double: each change may round by a part in 2⁶³, and a text has 17 decimals.
    let dust = PicoUSD(pico: 1 + Int128(watch.adds) * (1 + total.pico >> 62))
    // The script mends what is off by more than a part in 10¹².
    let mended = PicoUSD(pico: 1 + sum.pico / 900_000_000_000)
    if total + max(dust, mended) < sum {
      fail("I6: the spend key has \(total.exactText), less than the nodes' \(sum.exactText)")
    }
    let most = sum + watch.foreign[budget]
    if scenario.isSpendKeyExact, watch.relabelled[budget] > .zero {
      fail("I8: a window that was pushed to was left for another one, and nothing was lost")
    }
    if scenario.isSpendKeyBounded, total > most + watch.relabelled[budget] + dust {
      fail("I6: the spend key has \(total.exactText), more than all spend, \(most.exactText)")
    }
    if scenario.isSpendKeyExact, total + dust < most {
      fail("I6: the spend key has \(total.exactText), less than all spend, \(most.exactText)")
    }
    for node in nodes where concerns(node, budget, window) {
      let state = node.reconciler?.state(of: budgets[budget].key)
      // One that has not looked at an unspent window shows what it saw of the one before.
      guard var view = node.others[budget],
        state.map({ $0.staleUntil == nil && $0.adopted != nil }) ?? true
      else { continue }
      // A new window begins without others' spend, and a first view of none is not sent.
      if scenario.isDynamic, view.start < window.start {
        view = FleetView(budget: view.budget, start: window.start, others: .zero)
      }
      let own = node.ledger.windows[budget][window.start]?.sum ?? .zero
      let shown = own + view.others
      if view.start != window.start || shown + dust < total || shown > total + dust {
        note("node \(node.place) knows \(String(describing: state)), shows \(view)")
        fail(
          "I18: node \(node.place) shows \(shown.exactText) of budget \(budget), the store has "
            + total.exactText)
      }
    }
  }

  /// I12: a pass without news writes that the node lives, and nothing else.
  private func checkIdlePasses() {
    depth = 3
    defer { depth = 0 }
    if scenario.isShort { return }
    for node in nodes {
      let writes = redis.writes
      if !pass(node) { fail("I18: a pass fails without a fault") }
      if redis.writes - writes != 1 {
        fail("I12: an idle pass of node \(node.place) wrote \(redis.writes - writes) times")
      }
    }
  }
}
