import BudgetModel
import RedisStore
import SeededRandom
import Testing

@testable import Reconciliation

/// Many budgets' merges in one call do what each alone would have done.
@Suite struct ManyMergesTests {
  private static let start: Int64 = 1_795_000_000_000
  private static let length: Int64 = 100_000
  private static let end = start + length - 1
  private static let budgets = ["a", "b", "c"]
  private static let amounts = [
    "0.000000000000", "0.000000000001", "0.010000000000", "1.000000000000", "7.500000000001",
    "999999999.999999999999", "1000000000.000000000001", "123456789012345.000000000007",
    "999999999999999999999999.999999999999",
  ]

  private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

  /// The same happens to two stores: in one the calls go together, in the other one by one.
  @Test(arguments: 1...60) func asOneByOne(_ seed: UInt64) throws {
    var random = SeededRandom(seed: seed)
    let together = try VirtualRedis(script: SpendScript.text, now: Self.start + 500)
    let apart = try VirtualRedis(script: SpendScript.text, now: Self.start + 500)
    var quick = 0
    for step in 0..<200 {
      let passed = Int64(random.below(random.chance(0.02) ? 60_000 : 200))
      together.now += passed
      apart.now = together.now
      if random.chance(0.25) {
        let words = disturbance(&random)
        _ = together.perform(words.map(bytes))
        _ = apart.perform(words.map(bytes))
      }
      let (many, single) = calls(&random)
      let replies = try #require(together.evaluate(many).array)
      try #require(replies.count == single.count)
      for (call, reply) in zip(single, replies) {
        let other = apart.evaluate(call)
        if let total = reply.bytes {
          quick += 1
          // Told short: the spend key, and that the marker has all that was sent.
          let amount = StoreNumber.amount(String(decoding: total, as: UTF8.self))
          guard let known = MergeReply(other) else {
            // Neither is an answer: the spend key is past all amounts.
            #expect(other.refusal == nil && amount == nil, "step \(step), seed \(seed)")
            continue
          }
          #expect([.merged, .new].contains(known.outcome), "step \(step), seed \(seed)")
          #expect(known.total == amount)
          let sent = try #require(
            PicoUSD(twelveDecimals: String(decoding: call.arguments[8], as: UTF8.self)))
          #expect(try #require(known.stored.first) >= sent)
        } else {
          #expect(reply == other, "step \(step), seed \(seed)")
        }
      }
      #expect(together.entries == apart.entries, "step \(step), seed \(seed)")
      if together.entries != apart.entries { return }
    }
    #expect(quick > 0, "seed \(seed)")
  }

  private func disturbance(_ random: inout SeededRandom) -> [String] {
    let name = random.pick(Self.budgets)
    let (spend, mark) = ("K" + name, "{K\(name)}:bd")
    switch random.below(9) {
    case 0: return ["DEL", spend]
    case 1: return ["DEL", mark]
    case 2: return ["SET", spend, random.pick(["0.5", "3", "abc", "-1", "1e-05", "nan"])]
    case 3: return ["INCRBYFLOAT", spend, "0.25"]
    case 4: return ["PEXPIREAT", spend, "\(Self.end + Int64(random.below(90_000)))"]
    case 5: return ["HSET", mark, "sum", random.pick(["x", "0.000000000001"])]
    case 6: return ["HSET", mark, "t", random.pick(["900", "0"])]
    case 7: return ["HSET", mark, "w", "\(Self.start + Int64(random.below(2)))"]
    default: return ["SET", mark, "text"]
    }
  }

  private func calls(
    _ random: inout SeededRandom
  ) -> (many: RedisScriptCall, single: [RedisScriptCall]) {
    let head = ["\(Self.start)", "\(Self.end)", "\(Self.length)", "e"]
    var many = RedisScriptCall(keys: [], arguments: (["MANY"] + head).map(bytes))
    var single: [RedisScriptCall] = []
    for name in Self.budgets where random.chance(0.7) {
      let keys = [bytes("K" + name), bytes("{K\(name)}:bd")]
      let confirmed = random.chance(0.6) ? Self.amounts[0] : random.pick(Self.amounts)
      let seen = random.pick(["0", "1", "0.01"])
      let part = [random.pick(["o", "p"]), random.pick(Self.amounts), confirmed]
      many.keys += keys
      many.arguments += ([seen] + part).map(bytes)
      single.append(
        RedisScriptCall(keys: keys, arguments: (["SYNC"] + head + [seen, "-"] + part).map(bytes)))
    }
    return (many, single)
  }

  @Test func callsThatFitNoBudgetAreRefused() throws {
    let redis = try VirtualRedis(script: SpendScript.text, now: Self.start)
    for words in [
      ["MANY", "x", "\(Self.end)", "1", "e", "0", "o", "1.000000000000", "0.000000000000"],
      [
        "MANY", "\(Self.start)", "\(Self.end)", "0", "e", "0", "o", "1.000000000000",
        "0.000000000000",
      ],
      ["MANY", "\(Self.start)", "\(Self.end)", "1", "e", "0", "o", "1.000000000000"],
    ] {
      let reply = redis.evaluate(
        RedisScriptCall(keys: [bytes("K"), bytes("M")], arguments: words.map(bytes)))
      #expect(reply.refusal?.text.contains("BDARG") == true, "\(words)")
    }
    #expect(redis.entries.isEmpty)
  }

  // MARK: - Batches

  private func merge(
    _ name: String, start: Int64 = Self.start, slot: Int? = 0, parts: Int = 1
  ) throws -> MergeBatch.Merge {
    let key = BudgetKey(scope: .tag, name: name, windowText: "day")
    let window = Window(
      start: Timestamp(unixMilliseconds: start),
      end: Timestamp(unixMilliseconds: start + Self.length - 1))
    let part = MergeCall.Part(origin: "o", cumulative: PicoUSD(pico: 5), confirmed: .zero)
    return MergeBatch.Merge(
      index: 0,
      call: MergeCall(
        window: window, length: Self.length, highest: .zero, isForced: false, epoch: "e",
        parts: Array(repeating: part, count: parts)),
      keys: try #require(BudgetKeys(key, .own, in: RedisKeys(namespace: nil))),
      slot: slot)
  }

  @Test func thoseOfOneWindowGoTogether() throws {
    let size = MergeBatch.mergesPerCall
    let merges =
      try (0..<size + 3).map { try merge("n\($0)") }
      + [try merge("other", start: Self.start + 1), try merge("entry", slot: nil)]
      + [try merge("two lives", parts: 2)]
    let batch = MergeBatch(merges)
    #expect(batch.count == size + 6)
    let counts = batch.scriptCalls.map { $0.keys.count / 2 }
    #expect(counts.sorted() == [1, 1, 1, 3, size])
    let replies = batch.scriptCalls.map { call -> RedisValue in
      call.arguments[0] == bytes("MANY")
        ? .array(Array(repeating: .bytes(bytes("1")), count: call.keys.count / 2)) : .null
    }
    let answers = try #require(batch.answers(replies))
    #expect(answers.count == size + 6)
    #expect(Set(answers.map { $0.merge.keys.spend }).count == size + 6)
    #expect(batch.answers(Array(replies.dropLast())) == nil)
    // A call that is refused is refused to each.
    let refusal = RedisValue.error(RedisRefusal(kind: .outOfMemory, text: "OOM"))
    let refused = try #require(batch.answers(replies.map { _ in refusal }))
    #expect(refused.allSatisfy { $0.answer == refusal })
    let short = replies.map { $0 == .null ? $0 : RedisValue.array([]) }
    #expect(batch.answers(short) == nil)
  }

  @Test func keysOfOneCallHaveOneSlot() throws {
    let merges = try (0..<12).map { try merge("n\($0)", slot: $0 % 3) }
    let batch = MergeBatch(merges)
    #expect(batch.scriptCalls.map { $0.keys.count / 2 } == [4, 4, 4])
    let answers = try #require(
      batch.answers(
        batch.scriptCalls.map {
          .array(Array(repeating: .bytes(bytes("1")), count: $0.keys.count / 2))
        }))
    #expect(answers.map(\.merge.slot) == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2])
  }

  @Test func aTotalAloneSaysThatAllWasStored() throws {
    let call = try merge("n").call
    let reply = try #require(MergeReply.read(.bytes(bytes("2.5")), to: call))
    #expect(reply.outcome == .merged && reply.total == PicoUSD(pico: 2_500_000_000_000))
    #expect(reply.stored == [PicoUSD(pico: 5)] && reply.window == call.window)
    #expect(MergeReply.read(.bytes(bytes("no number")), to: call) == nil)
    #expect(MergeReply.read(.bytes(bytes("1")), to: try merge("n", parts: 2).call) == nil)
  }
}
