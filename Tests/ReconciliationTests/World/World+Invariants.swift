import BudgetModel
import RedisStore

@testable import Reconciliation

extension World {
  /// Checks the invariants, which are true after every step.
  func check() {
    guard failure == nil else { return }
    for budget in budgets.indices { checkMark(budget) }
  }

  private func checkMark(_ budget: Int) {
    guard let fields = redis.hash(marks[budget]) else {
      watch.marks[budget] = nil
      return
    }
    guard let start = Int64(fields["w"] ?? ""), let end = Int64(fields["fin"] ?? ""),
      let sum = PicoUSD(twelveDecimals: fields["sum"] ?? "")
    else { return fail("a marker makes no sense: \(fields)") }
    let mark = Watch.Mark(start: start, end: end, sum: sum)
    guard mark != watch.marks[budget] else { return }
    var parts = PicoUSD.zero
    for (name, text) in fields where name.hasPrefix("c:") {
      let balance = Watch.Balance(
        budget: budget, start: Timestamp(unixMilliseconds: start),
        origin: String(name.dropFirst(2)))
      guard let part = PicoUSD(twelveDecimals: text) else {
        return fail("a marker makes no sense: \(fields)")
      }
      parts += part
      watch.pushed[balance] = max(watch.pushed[balance] ?? .zero, part)
      let most = watch.highest[balance] ?? .zero
      if part > most {
        fail(
          "I3: the marker of budget \(budget), window \(start), has \(part.exactText) of "
            + "\(balance.origin), whose ledger never had more than \(most.exactText)")
      }
    }
    if parts != sum { fail("I4: \(sum.exactText) is not the sum \(parts.exactText) of its parts") }
    if let before = watch.marks[budget], before.start != start, redis.now <= before.end,
      (end, start) < (before.end, before.start)
    {
      fail("I7: window \(start)...\(end) took the place of \(before.start)...\(before.end)")
    }
    watch.marks[budget] = mark
  }

  /// Runs the script, and holds against it what it has written.
  func runScript(_ call: RedisScriptCall) -> RedisValue {
    if call.arguments.first == Array("MANY".utf8) { return runMany(call) }
    let mark = String(decoding: call.keys[1], as: UTF8.self)
    let spend = String(decoding: call.keys[0], as: UTF8.self)
    let before = redis.hash(mark)
    let spendBefore = redis.text(spend)
    let writes = redis.writes
    if scenario.isCluster, Set(call.keys.map(RedisSlot.of)).count > 1 {
      fail("a call of the script has keys of several slots")
    }
    let reply = redis.evaluate(call)
    let written = redis.writes - writes
    watch.adds += written
    let words = call.arguments.map { String(decoding: $0, as: UTF8.self) }
    let code = reply.array?.first?.bytes.map { String(decoding: $0, as: UTF8.self) } ?? "\(reply)"
    watch.outcomes[code, default: 0] += 1
    note(
      "script \(words.joined(separator: " ")) -> \(code) K \(spendBefore ?? "-") -> "
        + "\(redis.text(spend) ?? "-") sum \(before?["sum"] ?? "-") -> "
        + "\(redis.hash(mark)?["sum"] ?? "-")")
    if let refusal = reply.refusal { fail("the script refuses: \(refusal.text)") }
    if code == "RESET" { noteReset(ofMarker: mark, before: before) }
    if written > 0 {
      let changes = ["OK", "NEW", "MLOST", "KLOST", "RESET", "ENDING"]
      if !changes.contains(code) { fail("I12: \(code) and \(written) writes") }
      if before == redis.hash(mark), spendBefore == redis.text(spend) {
        fail("I12: \(written) writes that change nothing")
      }
      if code == "ENDING", redis.text(spend) != nil {
        fail("a spend key was made at its window's end")
      }
      let after = redis.hash(mark)
      if let end = (after?["fin"]).flatMap({ Int64($0) }), redis.now > end {
        fail("I7: a window that is over was written")
      }
    }
    check()
    return reply
  }

  /// The same of many budgets' calls in one.
  private func runMany(_ call: RedisScriptCall) -> RedisValue {
    if scenario.isCluster, Set(call.keys.map(RedisSlot.of)).count > 1 {
      fail("a call of the script has keys of several slots")
    }
    let marks = stride(from: 1, to: call.keys.count, by: 2).map {
      String(decoding: call.keys[$0], as: UTF8.self)
    }
    let before = marks.map { redis.hash($0) }
    let writes = redis.writes
    let reply = redis.evaluate(call)
    let written = redis.writes - writes
    watch.adds += written
    let words = call.arguments.map { String(decoding: $0, as: UTF8.self) }
    note("script \(words.joined(separator: " ")) -> \(reply)")
    guard let replies = reply.array, replies.count == marks.count else {
      fail("the script refuses: \(reply)")
      return reply
    }
    for (mark, (before, reply)) in zip(marks, zip(before, replies)) {
      let code =
        reply.array?.first?.bytes.map { String(decoding: $0, as: UTF8.self) }
        ?? (reply.bytes == nil ? "refusal" : "QUICK")
      watch.outcomes[code, default: 0] += 1
      if reply.refusal != nil { fail("the script refuses: \(reply)") }
      let after = redis.hash(mark)
      if after != before, let end = (after?["fin"]).flatMap({ Int64($0) }), redis.now > end {
        fail("I7: a window that is over was written")
      }
    }
    check()
    return reply
  }
}
