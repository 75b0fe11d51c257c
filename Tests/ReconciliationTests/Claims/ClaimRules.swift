import BudgetModel
import RedisStore

@testable import Reconciliation

/// The script's duties with claims, read off a few calls each.
enum ClaimRules {
  typealias Bench = ScriptRules.Bench

  /// Lives of three nodes, and the life after the first one's.
  static let a = "aaaaaaaa.00000001"
  static let b = "bbbbbbbb.00000001"
  static let c = "cccccccc.00000001"
  static let later = "aaaaaaaa.00000002"

  static func dollars(_ amount: Double) -> PicoUSD {
    PicoUSD(pico: Int128((amount * 1_000_000).rounded()) * 1_000_000)
  }

  /// A call's claims, beyond who calls and in which call.
  struct Wish {
    var spent: PicoUSD?
    var answered: Int64 = 0
    var keep = 0.0
    var life = 60_000
    var known = 0.0
    var limit: PicoUSD? = PicoUSD(dollars: 10)
    var ahead = 0.0
    var unit = 0.0
    var waiting: [PicoUSD] = []
    var gone: [String] = []
    var window: Window?
  }

  static var rules: [ScriptRules.Rule] {
    raises + numbers + ends + losses + windows + refusals
  }

  private static var raises: [ScriptRules.Rule] {
    [
      (
        "a claim that is kept is granted above the limit too, and no raise is",
        { bench in
          let reply = bench.claim(a, 1, Wish(keep: 12, waiting: [dollars(1)]))
          return reply?.claim?.state == .granted && reply?.claim?.claim == dollars(12)
            && reply?.claim?.free == .zero
        }
      ),
      (
        "of what waits all that fits is granted, in order",
        { bench in
          let reply = bench.claim(a, 1, Wish(keep: 1, waiting: [5, 5, 3, 2, 1].map(dollars)))
          return reply?.claim?.claim == dollars(10) && reply?.claim?.free == .zero
        }
      ),
      (
        "the limit itself may be claimed, and a pico-dollar more may not",
        { bench in
          let limit = dollars(10)
          let more = bench.claim(a, 1, Wish(waiting: [limit + PicoUSD(pico: 1)]))
          guard more?.claim?.claim == .zero, bench.held("n") == "0" else { return false }
          return bench.claim(a, 2, Wish(waiting: [limit]))?.claim?.claim == limit
        }
      ),
      (
        "surplus is half of what is free for each claimant, and not less than the unit",
        { bench in
          guard bench.claim(a, 1, Wish(ahead: 8))?.claim?.claim == dollars(5),
            bench.claim(b, 1, Wish(ahead: 8))?.claim?.claim == dollars(1.25)
          else { return false }
          let third = bench.claim(c, 1, Wish(ahead: 8, unit: 1))?.claim
          return third?.claim == .zero && third?.claimants == 3
        }
      ),
      (
        "spend, others' spend and others' claims count",
        { bench in
          let first = bench.claim(a, 1, Wish(spent: dollars(3), keep: 1, waiting: [dollars(5)]))
          guard first?.outcome == .new, first?.claim?.claim == dollars(6),
            first?.claim?.free == dollars(1)
          else { return false }
          bench.run("INCRBYFLOAT", "K", "0.75")
          let waiting = [dollars(0.5), dollars(0.25), PicoUSD(pico: 1)]
          let second = bench.claim(b, 1, Wish(waiting: waiting))?.claim
          guard second?.claim == dollars(0.25), second?.others == dollars(6) else { return false }
          bench.run("INCRBYFLOAT", "K", "5")
          let third = bench.claim(b, 2, Wish(keep: 0.25, waiting: [PicoUSD(pico: 1)]))?.claim
          return third?.claim == dollars(0.25) && third?.free == .zero
        }
      ),
      (
        "without a limit nothing is raised",
        { bench in
          let reply = bench.claim(a, 1, Wish(keep: 1, limit: nil, ahead: 1, waiting: [dollars(1)]))
          return reply?.claim?.claim == dollars(1) && reply?.claim?.free == .zero
        }
      ),
      (
        "spend that is too long to be read leaves nothing free, and is no fault",
        { bench in
          bench.run("SET", "K", "1e24")
          let reply = bench.claim(a, 1, Wish(keep: 1, waiting: [dollars(1)]))
          return reply?.claim?.claim == dollars(1) && reply?.claim?.free == .zero
        }
      ),
    ]
  }

  private static var numbers: [ScriptRules.Rule] {
    [
      (
        "a call that comes after a later one changes no claim",
        { bench in
          _ = bench.claim(a, 5, Wish(waiting: [dollars(4)]))
          let before = bench.redis.hash("{K}:bdh")
          for number in [4, 5] {
            let reply = bench.claim(a, Int64(number), Wish(keep: 9, waiting: [dollars(1)]))
            guard reply?.claim?.state == .old, bench.redis.hash("{K}:bdh") == before else {
              return false
            }
          }
          let lower = bench.claim(a, 6, Wish(keep: 1))?.claim
          return lower?.state == .granted && lower?.claim == dollars(1) && bench.sum == dollars(1)
        }
      ),
      (
        "its spend counts all the same",
        { bench in
          _ = bench.claim(a, 5, Wish())
          let reply = bench.claim(a, 4, Wish(spent: dollars(2)))
          return reply?.claim?.state == .old && reply?.sum == dollars(2)
        }
      ),
      (
        "a claim of nothing stays for its number",
        { bench in
          _ = bench.claim(a, 1, Wish(keep: 1))
          _ = bench.claim(a, 2, Wish())
          guard bench.held("n") == "0", bench.sum == .zero,
            bench.claim(a, 1, Wish(keep: 1, waiting: [dollars(1)]))?.claim?.state == .old,
            bench.sum == .zero
          else { return false }
          let third = bench.claim(a, 3, Wish(answered: 2, waiting: [dollars(1)]))?.claim
          return third?.state == .granted && third?.claim == dollars(1)
        }
      ),
    ]
  }

  private static var ends: [ScriptRules.Rule] {
    [
      (
        "others' claims count until they end",
        { bench in
          _ = bench.claim(a, 1, Wish(keep: 6, life: 120))
          let first = bench.claim(b, 1, Wish(waiting: [dollars(5)]))?.claim
          guard first?.claim == .zero, first?.others == dollars(6), first?.free == dollars(4) else {
            return false
          }
          bench.redis.now += 120
          guard bench.claim(b, 2, Wish(waiting: [dollars(5)]))?.claim?.claim == .zero else {
            return false
          }
          bench.redis.now += 1
          let third = bench.claim(b, 3, Wish(waiting: [dollars(5)]))?.claim
          return third?.claim == dollars(5) && third?.others == .zero && bench.held(a) == nil
        }
      ),
      (
        "claims of ended lives go",
        { bench in
          _ = bench.claim(a, 1, Wish(keep: 6))
          let reply = bench.claim(later, 1, Wish(keep: 1, gone: [a]))?.claim
          return reply?.others == .zero && reply?.claimants == 1 && bench.held(a) == nil
            && bench.sum == dollars(1)
        }
      ),
      (
        "a claim that cannot be read goes",
        { bench in
          _ = bench.claim(a, 1, Wish(keep: 1))
          bench.run("HSET", "{K}:bdh", b, "nonsense", "x", "0")
          let reply = bench.claim(a, 2, Wish(keep: 1))?.claim
          return reply?.claimants == 1 && reply?.others == .zero && bench.held(b) == nil
        }
      ),
      (
        "claims are gone a minute after the last has ended, and not sooner",
        { bench in
          let now = bench.redis.now
          _ = bench.claim(a, 1, Wish(keep: 1))
          guard bench.redis.expiry("{K}:bdh") == now + 120_000 else { return false }
          _ = bench.claim(b, 1, Wish(keep: 1, life: 1_000))
          return bench.redis.expiry("{K}:bdh") == now + 120_000
        }
      ),
      (
        "no claim ends before the instant that is kept for all",
        { bench in
          _ = bench.claim(a, 1, Wish(keep: 6, life: 1_000))
          _ = bench.claim(b, 1, Wish(keep: 1, life: 60_000))
          bench.redis.now += 1_001
          return bench.claim(b, 2, Wish(keep: 1))?.claim?.others == .zero
        }
      ),
    ]
  }

  private static var losses: [ScriptRules.Rule] {
    [
      (
        "a total that fell starts learning, for everybody, and what is out is kept",
        { bench in
          let now = bench.redis.now
          let first = bench.claim(a, 1, Wish(known: 5, waiting: [dollars(1)]))?.claim
          guard first?.state == .learning, first?.claim == .zero,
            first?.learningUntil.unixMilliseconds == now + 2_000
          else { return false }
          bench.redis.now += 1_999
          let second = bench.claim(b, 1, Wish(keep: 1, ahead: 1, waiting: [dollars(1)]))?.claim
          guard second?.state == .learning, second?.claim == dollars(1) else { return false }
          bench.redis.now += 1
          let third = bench.claim(b, 2, Wish(answered: 1, keep: 1, waiting: [dollars(1)]))?.claim
          return third?.state == .granted && third?.claim == dollars(2)
        }
      ),
      (
        "an own claim that was lost starts learning",
        { bench in
          _ = bench.claim(a, 1, Wish(waiting: [dollars(1)]))
          bench.run("DEL", "{K}:bdh")
          let reply = bench.claim(a, 2, Wish(answered: 1, keep: 1, waiting: [dollars(1)]))?.claim
          return reply?.state == .learning && reply?.claim == dollars(1)
        }
      ),
      (
        "an own claim that went back starts learning",
        { bench in
          _ = bench.claim(a, 1, Wish(waiting: [dollars(1)]))
          let reply = bench.claim(a, 3, Wish(answered: 2, keep: 1, waiting: [dollars(1)]))?.claim
          return reply?.state == .learning
        }
      ),
      (
        "a clock that went back makes learning no longer",
        { bench in
          _ = bench.claim(a, 1, Wish(keep: 1))
          bench.run("HSET", "{K}:bdh", "lt", "\(bench.redis.now + 10_000_000)")
          let reply = bench.claim(a, 2, Wish(answered: 1, keep: 1, waiting: [dollars(1)]))?.claim
          return reply?.state == .learning
            && reply?.learningUntil.unixMilliseconds == bench.redis.now + 2_000
        }
      ),
    ]
  }

  private static var windows: [ScriptRules.Rule] {
    [
      (
        "claims outlast their window: what is in flight is charged in the next one",
        { bench in
          _ = bench.claim(a, 1, Wish(spent: dollars(2), keep: 4, life: 200_000))
          bench.redis.now = ScriptRules.end + 2
          let next = Window(
            start: Timestamp(unixMilliseconds: ScriptRules.end + 1),
            end: Timestamp(unixMilliseconds: ScriptRules.end + 1 + ScriptRules.length))
          let wish = Wish(spent: dollars(0.5), waiting: [7, 5.5].map(dollars), window: next)
          let reply = bench.claim(b, 1, wish)?.claim
          return reply?.others == dollars(4) && reply?.claim == dollars(5.5) && bench.held(a) != nil
        }
      ),
      (
        "a call of a window that is over claims nothing",
        { bench in
          _ = bench.claim(a, 1, Wish(spent: dollars(1), keep: 1))
          let next = Window(
            start: Timestamp(unixMilliseconds: ScriptRules.start + 500),
            end: Timestamp(unixMilliseconds: ScriptRules.end + 500))
          _ = bench.claim(b, 1, Wish(spent: dollars(1), keep: 1, window: next))
          let before = bench.redis.hash("{K}:bdh")
          let reply = bench.claim(a, 2, Wish(keep: 3))
          return reply?.outcome == .stale && reply?.claim == nil
            && bench.redis.hash("{K}:bdh") == before
        }
      ),
      (
        "an operator's reset leaves claims",
        { bench in
          _ = bench.claim(a, 1, Wish(spent: dollars(8), keep: 1))
          let start = ScriptRules.start + 1_000
          guard
            bench.merge("", "", start: start, end: start + ScriptRules.length, operation: "RESET")
              == "RESET"
          else { return false }
          let window = Window(
            start: Timestamp(unixMilliseconds: start),
            end: Timestamp(unixMilliseconds: start + ScriptRules.length))
          let reply = bench.claim(a, 2, Wish(keep: 1, waiting: [dollars(9)], window: window))?.claim
          return reply?.claim == dollars(10)
        }
      ),
    ]
  }

  private static var refusals: [ScriptRules.Rule] {
    [
      (
        "strange claims are refused before any write",
        { bench in
          _ = bench.claim(a, 1, Wish(spent: dollars(1), keep: 1))
          let before = bench.redis.entries
          let good = bench.call(a, 2, Wish(spent: dollars(2), keep: 1)).scriptCall(
            spendKey: Array("K".utf8), markKey: Array("{K}:bd".utf8))
          let strange: [(Int, String)] = [
            (7, "w"), (8, "x"), (9, ""), (10, "1"), (10, "1000000000000000.000000000000"),
            (11, "-1"), (11, "1.5"), (12, "x"), (13, "1"), (14, "1"), (15, "-"), (16, "1,2"),
          ]
          for (place, text) in strange {
            var call = good
            call.arguments[place] = Array(text.utf8)
            guard let refusal = bench.redis.evaluate(call).refusal,
              refusal.text.hasPrefix("BDARG"), bench.redis.entries == before
            else { return false }
          }
          var short = good
          short.arguments.removeLast(4)
          return bench.redis.evaluate(short).refusal?.text.hasPrefix("BDARG") == true
            && bench.redis.entries == before
        }
      ),
      (
        "claims' key of another type refuses the call before any write",
        { bench in
          bench.run("SET", "{K}:bdh", "x")
          let call = bench.call(a, 1, Wish(spent: dollars(1), keep: 1)).scriptCall(
            spendKey: Array("K".utf8), markKey: Array("{K}:bd".utf8))
          return bench.redis.evaluate(call).refusal?.text.contains("WRONGTYPE") == true
            && bench.spend == nil && bench.mark("sum") == nil
        }
      ),
    ]
  }
}

extension ScriptRules.Bench {
  func held(_ field: String) -> String? { redis.hash("{K}:bdh")?[field] }

  /// The sum of all claims, as it is kept.
  var sum: PicoUSD? { held("s").flatMap { PicoUSD(twelveDecimals: $0) } }

  func call(_ origin: String, _ number: Int64, _ wish: ClaimRules.Wish) -> MergeCall {
    var claim = ClaimCall(
      origin: origin, number: number, answered: wish.answered,
      keep: ClaimRules.dollars(wish.keep), life: .milliseconds(wish.life),
      known: ClaimRules.dollars(wish.known), limit: wish.limit)
    claim.ahead = ClaimRules.dollars(wish.ahead)
    claim.unit = ClaimRules.dollars(wish.unit)
    claim.waiting = wish.waiting
    claim.gone = wish.gone
    let parts = wish.spent.map {
      [MergeCall.Part(origin: origin, cumulative: $0, confirmed: .zero)]
    }
    let window =
      wish.window
      ?? Window(
        start: Timestamp(unixMilliseconds: ScriptRules.start),
        end: Timestamp(unixMilliseconds: ScriptRules.end))
    return MergeCall(
      window: window, length: ScriptRules.length, highest: .zero, isForced: false, epoch: "e",
      parts: parts ?? [], claim: claim)
  }

  /// The script's answer to a call with claims; nil: it refused.
  func claim(_ origin: String, _ number: Int64, _ wish: ClaimRules.Wish) -> MergeReply? {
    let call = call(origin, number, wish)
    let value = redis.evaluate(
      call.scriptCall(spendKey: Array("K".utf8), markKey: Array("{K}:bd".utf8)))
    return MergeReply.read(value, to: call)
  }
}
