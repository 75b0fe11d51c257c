import BudgetModel
import RedisStore
import SeededRandom
import Testing

@testable import Reconciliation

/// The rule of claims once more, in whole pico-dollars, and the script beside it, call by call.
@Suite struct ClaimModelTests {
  /// One budget's claims.
  struct Model {
    var claims: [String: (number: Int64, amount: PicoUSD, end: Int64)] = [:]
    var learningUntil: Int64 = 0

    mutating func take(
      _ call: ClaimCall, total: PicoUSD, at now: Int64
    ) -> (state: ClaimReply.State, claim: PicoUSD, others: PicoUSD, claimants: Int) {
      let mine = claims[call.origin]
      let living = claims.filter {
        $0.key != call.origin && !call.gone.contains($0.key) && $0.value.end >= now
      }
      let others = living.values.reduce(PicoUSD.zero) { $0 + $1.amount }
      let claimants = living.values.count { $0.amount > .zero } + 1
      learningUntil = min(learningUntil, now + 2_000)
      if let mine, mine.number >= call.number { return (.old, .zero, others, claimants) }
      if call.known > total || call.answered > (mine?.number ?? 0) { learningUntil = now + 2_000 }
      var claim = call.keep
      var state = ClaimReply.State.granted
      if let limit = call.limit {
        var free = max(.zero, limit - total - others - claim)
        if now < learningUntil {
          state = .learning
        } else {
          for amount in call.waiting where amount <= free {
            claim += amount
            free -= amount
          }
          let half = PicoUSD(pico: free.pico / Int128(2 * claimants))
          let extra = PicoUSD(pico: min(call.ahead, half).pico / 1_000_000 * 1_000_000)
          if extra > .zero, extra >= call.unit { claim += extra }
        }
      }
      claims = living
      claims[call.origin] = (call.number, claim, now + call.life.wholeMilliseconds)
      return (state, claim, others, claimants)
    }
  }

  private static let origins = (0..<5).map { "n000000\($0).00000001" }

  @Test(arguments: 1...6) func theScriptDoesWhatTheModelDoes(_ seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let bench = try ScriptRules.Bench(SpendScript.text)
    let plain = try ScriptRules.Bench(SpendScript.text)
    var model = Model()
    let limit = random.pick([PicoUSD(dollars: 10), PicoUSD(dollars: 1_000)])
    var numbers: [String: Int64] = [:]
    var spent: [String: PicoUSD] = [:]
    var states: [ClaimReply.State: Int] = [:]
    for step in 0..<500 {
      let origin = random.pick(Self.origins)
      numbers[origin, default: 0] += 1
      if random.chance(0.4) { spent[origin, default: .zero] += Self.part(limit, 4_000, &random) }
      let number = numbers[origin] ?? 1
      var claim = ClaimCall(
        origin: origin, number: random.chance(0.93) ? number : max(1, number - 2),
        answered: random.chance(0.9) ? 0 : model.claims[origin]?.number ?? 0,
        keep: random.chance(0.3) ? .zero : Self.part(limit, 50, &random),
        life: .milliseconds(random.pick([50, 5_000, 60_000])),
        known: random.chance(0.99) ? .zero : PicoUSD(dollars: 100_000), limit: limit)
      if random.chance(0.1) { claim.limit = nil }
      claim.waiting = (0..<random.pick([0, 0, 1, 3])).map { _ in Self.part(limit, 20, &random) }
      claim.ahead = random.chance(0.6) ? .zero : Self.part(limit, 5, &random)
      claim.unit = random.pick([.zero, PicoUSD(pico: limit.pico / 50)])
      if random.chance(0.03) { claim.gone = [random.pick(Self.origins)].filter { $0 != origin } }
      for store in [bench, plain] {
        store.redis.now += Int64(step % 40)
        if step % 60 == 59 { store.run("INCRBYFLOAT", "K", "0.001") }
      }
      let own = spent[origin].map {
        [MergeCall.Part(origin: origin, cumulative: $0, confirmed: .zero)]
      }
      var call = bench.call(origin, number, .init())
      (call.parts, call.claim) = (own ?? [], claim)
      let value = bench.evaluate(call)
      call.claim = nil
      // The spend's part is what a call without claims does.
      let without = plain.evaluate(call)
      #expect(
        value.array?.prefix(10 + call.parts.count).elementsEqual(without.array ?? []) == true,
        "step \(step)")
      #expect(bench.spend == plain.spend)
      #expect(bench.redis.hash("{K}:bd") == plain.redis.hash("{K}:bd"))
      call.claim = claim
      let reply = try #require(MergeReply.read(value, to: call))
      let found = try #require(reply.claim, "step \(step)")
      let total = max(reply.total ?? .zero, reply.sum)
      let expected = model.take(claim, total: total, at: bench.redis.now)
      states[found.state, default: 0] += 1
      #expect(found.state == expected.state, "step \(step)")
      #expect(found.others == expected.others && found.claimants == expected.claimants)
      if found.state != .old {
        // A quantum of rounding: doubles divide what is free.
        #expect(abs((found.claim - expected.claim).pico) <= 1_000_000, "step \(step)")
        model.claims[origin]?.amount = found.claim
        #expect(found.claim >= claim.keep)
        if found.claim > claim.keep {
          #expect(found.state == .granted && total + found.others + found.claim <= limit)
        }
      }
      expectSums(bench, model)
    }
    #expect(states.count == 3, "\(states)")
  }

  /// The sum and the number that are kept are those of the claims; none ends before `x`.
  private func expectSums(_ bench: ScriptRules.Bench, _ model: Model) {
    let amounts = model.claims.values.map(\.amount)
    #expect(bench.sum == amounts.reduce(.zero, +))
    #expect(bench.held("n") == "\(amounts.count { $0 > .zero })")
    let first = model.claims.values.map(\.end).min() ?? 0
    #expect(bench.held("x").flatMap { Int64($0) }.map { $0 <= first } == true)
  }

  private static func part(
    _ limit: PicoUSD, _ parts: Int128, _ random: inout SeededRandom
  ) -> PicoUSD {
    PicoUSD(pico: limit.pico / parts / 1_000 * Int128(1 + random.below(1_000)))
  }

  /// Twenty requests of 75 against 500, over some nodes, in any order: six are admitted.
  @Test(arguments: [1, 2, 4, 8]) func sixOfTwentyFit(_ nodes: Int) throws {
    for seed in 1...10 {
      var random = SeededRandom(seed: UInt64(seed))
      let bench = try ScriptRules.Bench(SpendScript.text)
      var waiting = [Int](repeating: 0, count: nodes)
      var held = [Double](repeating: 0, count: nodes)
      var numbers = [Int64](repeating: 0, count: nodes)
      var order = (0..<20).map { $0 % nodes }.shuffled(using: &random)
      var admitted = 0
      while !order.isEmpty || waiting.contains(where: { $0 > 0 }) {
        if random.chance(0.6), let node = order.popLast() {
          waiting[node] += 1
          continue
        }
        let node = random.below(nodes)
        guard waiting[node] > 0 else { continue }
        numbers[node] += 1
        var wish = ClaimRules.Wish(keep: held[node], limit: PicoUSD(dollars: 500))
        wish.waiting = Array(repeating: PicoUSD(dollars: 75), count: waiting[node])
        let reply = bench.claim("node000\(node).00000001", numbers[node], wish)
        let claim = try #require(reply?.claim?.claim.dollars)
        admitted += Int((claim - held[node]) / 75)
        (held[node], waiting[node]) = (claim, 0)
      }
      #expect(admitted == 6, "\(nodes) nodes, seed \(seed)")
    }
  }
}

extension ScriptRules.Bench {
  func evaluate(_ call: MergeCall) -> RedisValue {
    redis.evaluate(call.scriptCall(spendKey: Array("K".utf8), markKey: Array("{K}:bd".utf8)))
  }
}
