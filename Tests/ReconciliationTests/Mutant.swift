import BudgetModel
import Reconciliation
import Testing

/// One rule broken: the tests have to notice.
struct Mutant: CustomTestStringConvertible, Sendable {
  var testDescription: String
  /// In the script: what stands there, and what in its place.
  var changes: [(String, String)] = []
  /// In Swift: a scenario that breaks the rule.
  var scenario: (@Sendable (Scenario) -> Scenario) = { $0 }
  /// The scenarios that show it. None: the rules of the script tell.
  var scenarios: [Scenario] = []
  /// So many seeds at most until it shows.
  var seeds = 150

  /// The script with the rule broken; nil: the script does not read that way any more.
  var script: String? {
    var text = SpendScript.text
    for (before, after) in changes {
      guard text.contains(before) else { return nil }
      text = text.replacing(before, with: after)
    }
    return text
  }

  static let all: [Mutant] = ofTheScript + ofTheEdges + ofClaims + ofSwift

  private static let ofTheScript = [
    Mutant(
      testDescription: "naive delta",
      changes: [("local have = same and redis.call('HGET', M, f) or false", "local have = acked")],
      scenarios: [.network]),
    Mutant(
      testDescription: "last value wins",
      changes: [("if less(have, cum) then", "if have ~= cum then")], scenarios: [.network]),
    Mutant(
      testDescription: "spend keys are not mended",
      changes: [("if less(ZERO, applied) then", "if false then")]),
    Mutant(
      testDescription: "what the key held when the marker was made is forgotten",
      changes: [("'0', ARGV[5], k or nil", "'0', ARGV[5], nil")], scenarios: [.lostMarks]),
    Mutant(
      testDescription: "a lost spend key is taken for kept",
      changes: [("rk and seen > 0 and rk >= seen - eps(seen) and", "seen > 0 and")]),
    Mutant(
      testDescription: "what was confirmed does not go along",
      changes: [("and less(ZERO, acked) then", "and false then")], scenarios: [.lostMarks]),
    Mutant(
      testDescription: "order of windows by their start",
      changes: [("(mfin > fin or (mfin == fin and mw > w))", "mw > w")],
      scenarios: [.liteLLMClocks, .everything], seeds: 900),
    Mutant(
      testDescription: "windows that are over take spend",
      changes: [
        ("if now > fin then\n  if mw", "if false then\n  if mw"),
        ("if now > fin then return reply('STALE', ZERO) end\nend", "end"),
      ], scenarios: [.rollover]),
    Mutant(
      testDescription: "nine decimals",
      changes: [
        (
          "return string.format('%.0f.%012.0f', d, f)",
          "return string.format('%.0f.%012.0f', d, math.floor(f / 1000) * 1000)"
        )
      ], scenarios: [.network]),
    Mutant(
      testDescription: "sums of doubles",
      changes: [
        (
          "return join(ag + bg, ad + bd, af + bf)",
          "return string.format('%.12f', (ag + bg) * 1e9 + ad + bd + af / 1e12 + bf / 1e12)"
        )
      ], scenarios: [.network]),
    Mutant(
      testDescription: "a merge writes what it has written before",
      changes: [("if touched or #set > 0 then", "if true then")], scenarios: [.network]),
    Mutant(
      testDescription: "a marker outlives its replacement",
      changes: [("if not same then create() end", "")], scenarios: [.rollover]),
  ]

  private static let ofTheEdges = [
    Mutant(
      testDescription: "fifteen digits of dollars",
      changes: [("if not d or #d > 24 then", "if not d or #d > 15 then")]),
    Mutant(
      testDescription: "billions do not carry",
      changes: [("if d >= 1000000000 then g = g + 1; d = d - 1000000000 end", "")]),
    Mutant(
      testDescription: "billions do not borrow",
      changes: [("if d < 0 then g = g - 1; d = d + 1000000000 end", "")]),
    Mutant(
      testDescription: "a sum may be too large",
      changes: [
        (
          "if not split(sum) then return redis.error_reply('BDR",
          "if false then return redis.error_reply('BDR"
        )
      ]),
    Mutant(
      testDescription: "windows are open at their end",
      changes: [("if now > fin then", "if now >= fin then")]),
    Mutant(
      testDescription: "keys go with the window's last millisecond",
      changes: [("K, int(fin + 1)) end", "K, int(fin)) end")]),
    Mutant(
      testDescription: "a nano-dollar is dust",
      changes: [("return 1e-12 + math.abs(x)", "return 1e-9 + math.abs(x)")]),
    Mutant(
      testDescription: "no FOREIGN",
      changes: [("if kexp and kexp > fin", "if false and kexp > fin")]),
    Mutant(
      testDescription: "no WAIT",
      changes: [("if kexp and kexp <= start", "if false and kexp <= start")]),
    Mutant(
      testDescription: "no ENDING", changes: [("and fin - now < slack then", "and false then")]),
    Mutant(
      testDescription: "a marker's own end does not count",
      changes: [("if now > fin then return reply('STALE', ZERO) end\nend", "end")]),
    Mutant(
      testDescription: "a reset ends the marker's window alone",
      changes: [("int(math.max(fin - 1, mfin or 0))", "int(mfin or 0)")]),
    Mutant(
      testDescription: "a window begins though its reset was lost",
      changes: [("(tonumber(ra) or 0) < w and string.find", "w < 0 and string.find")]),
    Mutant(
      testDescription: "an earlier reset takes the place of a later one",
      changes: [("if (tonumber(ra) or 0) >= w then return", "if false then return")]),
    Mutant(
      testDescription: "a reset of a window that is over ends a later one",
      changes: [
        (
          "mfin > fin and mw > w then return reply('STALE', ZERO) end\n  --",
          "false then return reply('STALE', ZERO) end\n  --"
        )
      ]),
    Mutant(
      testDescription: "what was pushed before a reset is taken",
      changes: [("if not same and fin <= (tonumber(rf) or 0) then", "if false then")]),
    Mutant(
      testDescription: "a spend key outlives a reset",
      changes: [("redis.call('SET', K, '0', 'PXAT', int(fin + 1))", "")]),
    Mutant(
      testDescription: "a spend key may be less than its marker",
      changes: [("if k and k + num(grow) < num(sum)", "if false and num(grow) < num(sum)")]),
  ]

  private static let ofClaims = [
    Mutant(
      testDescription: "claims without numbers",
      changes: [("if c.q and c.q >= q then return", "if false then return")]),
    Mutant(
      testDescription: "no learning after a loss",
      changes: [("if known > num(total) + eps(known) or (qa > 0", "if false and (qa > 0")]),
    Mutant(
      testDescription: "a lost claim of one's own is no loss",
      changes: [("or (qa > 0 and (not c.q or c.q < qa)) then", "then")]),
    Mutant(
      testDescription: "raises while learning", changes: [("if now < c.lt then", "if false then")]),
    Mutant(
      testDescription: "learning goes on for as long as a field says",
      changes: [
        (
          "c.lt = math.min(tonumber(h[1] or '') or 0, now + 2000)",
          "c.lt = tonumber(h[1] or '') or 0"
        )
      ]),
    Mutant(
      testDescription: "a claim that is kept is bounded by the limit",
      changes: [
        (
          "if less(used, limit) then free = sub(limit, used) end",
          "if less(used, limit) then free = sub(limit, used) else mine = ZERO end"
        )
      ]),
    Mutant(
      testDescription: "others' claims are not counted",
      changes: [
        (
          "local used = bounded(add(bounded(add(total, c.others)), mine))",
          "local used = add(total, mine)"
        )
      ]),
    Mutant(
      testDescription: "claims go with their window",
      changes: [
        (
          "if not same then create() end",
          "if not same then create(); redis.call('DEL', M .. 'h') end"
        )
      ]),
    Mutant(
      testDescription: "a claim of nothing is deleted",
      changes: [
        (
          "for _, f in ipairs(c.dead) do",
          "if mine == ZERO then c.dead[#c.dead + 1] = origin end for _, f in ipairs(c.dead) do"
        ),
        ("int(q) .. ' ' .. mine", "mine == ZERO and '' or int(q) .. ' ' .. mine"),
      ]),
    Mutant(
      testDescription: "claims that have ended count",
      changes: [("or over[f] or x < now then", "or over[f] then")]),
    Mutant(
      testDescription: "nobody looks whether a claim has ended",
      changes: [("and now <= c.ends and gone == ''", "and gone == ''")]),
    Mutant(
      testDescription: "ended lives keep their claims",
      changes: [("or over[f] or x < now", "or x < now")]),
    Mutant(
      testDescription: "all of what is free goes ahead",
      changes: [("num(free) / (2 * c.n)", "num(free)")]),
    Mutant(
      testDescription: "a surplus below the unit is granted",
      changes: [("and not less(text, ARGV[16]) and", "and")]),
    Mutant(
      testDescription: "the claims' key ends with the last call's claim",
      changes: [("if redis.call('PTTL', H) < life + 60000 then", "if true then")]),
    Mutant(
      testDescription: "claims of any size",
      changes: [("return s and #s <= 28 and split(s)", "return s and split(s)")]),
  ]

  private static let ofSwift = [
    Mutant(
      testDescription: "uncommitted spend is pushed",
      scenario: { scenario in
        var scenario = scenario
        scenario.news = { world, node in
          var news = node.news(at: world.time(of: node))
          for (_, budget, amount) in node.queue {
            for index in news.totals.indices
            where news.totals[index].key == node.budgets[budget].key
              && news.totals[index].origin == node.origin
            { news.totals[index].cumulative += amount }
          }
          return news
        }
        return scenario
      }, scenarios: [.network]),
    Mutant(
      testDescription: "start keys are written over",
      scenario: { scenario in
        var scenario = scenario
        scenario.command = { words in
          words.filter { words[0] != Array("SET".utf8) || $0 != Array("NX".utf8) }
        }
        return scenario
      }, scenarios: [.network]),
    Mutant(
      testDescription: "every clock is believed",
      scenario: { scenario in
        var scenario = scenario
        scenario.believes = { _, _ in true }
        return scenario
      }, scenarios: [.clockJumps]),
    Mutant(
      testDescription: "a clock that moves during a pass is believed",
      scenario: { scenario in
        var scenario = scenario
        scenario.settings = { $0.clockStepMilliseconds = .max }
        // So often that it happens within a pass too.
        scenario.clockJump = 0.2
        return scenario
      }, scenarios: [.clockJumps], seeds: 900),
  ]
}
