import Reconciliation
import RedisStore
import SeededRandom
import Testing

/// The script does under Lua 5.4 what it does under 5.1, byte for byte.
@Suite struct NewLuaTests {
  private static let start: Int64 = 1_795_000_000_000
  private static let length: Int64 = 100_000

  @Test func bothAnswerAndLeaveTheSame() throws {
    var codes: Set<String> = []
    for seed: UInt64 in 1...6 { codes.formUnion(try Self.compare(seed)) }
    #expect(
      codes.isSuperset(of: ["NEW", "OK", "KLOST", "STALE", "BDARG", "RESET", "claim OK"]),
      "\(codes.sorted())")
    #expect(!codes.isDisjoint(with: ["claim OLD", "claim LEARN"]))
  }

  /// Has both do the same, and gives the codes that they answered with.
  private static func compare(_ seed: UInt64) throws -> Set<String> {
    let old = try VirtualRedis(script: SpendScript.text, now: Self.start)
    let new = VirtualRedis(try NewLuaScript(SpendScript.text), now: Self.start)
    var random = SeededRandom(seed: seed)
    var codes: Set<String> = []
    for step in 0..<600 {
      let later = Int64(random.below(400))
      old.now += later
      new.now += later
      if random.chance(0.3) {
        let words = Self.disturbance(&random, old.now).map { Array($0.utf8) }
        #expect(old.perform(words) == new.perform(words))
      }
      let call =
        switch random.below(10) {
        case ..<3: Self.many(&random)
        case ..<6: Self.claiming(&random, step)
        default: Self.single(&random)
        }
      let (one, other) = (old.evaluate(call), new.evaluate(call))
      if one.refusal != nil || other.refusal != nil {
        // A fault of Lua's own would name its line.
        #expect(Self.code(one) == Self.code(other), "seed \(seed), step \(step)")
      } else {
        #expect(one == other, "seed \(seed), step \(step)")
      }
      for value in one.array ?? [one] { codes.insert(Self.code(value.array?.first ?? value)) }
      if call.keys.count == 3, let state = one.array?.dropLast(5).last {
        codes.insert("claim " + Self.code(state))
      }
      try #require(old.entries == new.entries, "seed \(seed), step \(step)")
    }
    return codes
  }

  private static func code(_ value: RedisValue) -> String {
    let text = value.bytes.map { String(decoding: $0, as: UTF8.self) } ?? value.refusal?.text ?? ""
    return text.split(separator: " ").first.map(String.init) ?? ""
  }

  private static func disturbance(_ random: inout SeededRandom, _ now: Int64) -> [String] {
    let key = random.pick(["a", "b"])
    return random.pick([
      ["DEL", key], ["SET", key, "0.5"], ["SET", key, "nan"], ["DEL", "{\(key)}:bd"],
      ["SET", key, "12.5", "PXAT", "\(now + 5)"], ["HSET", "{\(key)}:bd", "sum", "x"],
      ["INCRBYFLOAT", key, "1e-7"], ["DEL", "{\(key)}:bdh"],
      ["HSET", "{\(key)}:bdh", "1.1", "1 x 5", "x", "0"],
    ])
  }

  private static func window(_ random: inout SeededRandom) -> [String] {
    let first = start + Int64(random.pick([0, 0, 0, 1, 60_000, -90_000]))
    return ["\(first)", "\(first + length)", "\(length)", "e\(random.below(9))"]
  }

  private static func amounts(_ random: inout SeededRandom) -> [String] {
    [
      "\(random.below(3)).\(random.below(3))",
      random.pick([
        "0.000000000001", "1.500000000000", "9000000000.000000000003",
        "1000000000000000000.000000000001", "2.000000000000",
      ]),
      random.pick(["0.000000000000", "0.000000000000", "1.000000000000"]),
    ]
  }

  private static func single(_ random: inout SeededRandom) -> RedisScriptCall {
    let key = random.pick(["a", "b"])
    let operation = random.pick(["SYNC", "SYNC", "SYNC", "SYNC", "SYNC", "RESET", "OPEN"])
    var words =
      [operation] + window(&random)
      + [random.pick(["0", "1", "9000000000.5"]), random.pick(["-", "-", "F", "R", "FR"])]
    if operation != "RESET" {
      for _ in 0...random.below(2) { words += amounts(&random) }
    }
    return RedisScriptCall(keys: keys([key]), arguments: words.map { Array($0.utf8) })
  }

  private static func claiming(_ random: inout SeededRandom, _ step: Int) -> RedisScriptCall {
    let key = random.pick(["a", "b"])
    var words = ["SYNC"] + window(&random) + [random.pick(["0", "1"]), "-"]
    words += [
      "\(random.below(2)).1", "\(step / 100 + random.below(4))",
      "\(random.chance(0.9) ? 0 : step)",
      random.pick(["0.000000000000", "1.500000000000", "0.333333333333", "x"]),
      "\(random.pick([50, 5_000, 60_000]))", random.pick(["0", "0", "0", "0", "1e15"]),
      random.pick(["-", "10.000000000000", "9000000001.000000000000"]),
      random.pick(["0.000000000000", "3.100000000000"]), "0.000000000000",
      random.pick(["", "0.100000000001", "1.000000000000,2.000000000000"]),
      random.pick(["", "", "", "1.1", "0.0,2.1"]),
    ]
    for _ in 0..<random.below(3) { words += amounts(&random) }
    return RedisScriptCall(
      keys: keys([key]) + [Array("{\(key)}:bdh".utf8)], arguments: words.map { Array($0.utf8) })
  }

  private static func many(_ random: inout SeededRandom) -> RedisScriptCall {
    var words = ["MANY"] + window(&random)
    for _ in 0..<2 { words += [random.pick(["0", "1"])] + amounts(&random) }
    return RedisScriptCall(keys: keys(["a", "b"]), arguments: words.map { Array($0.utf8) })
  }

  private static func keys(_ names: [String]) -> [[UInt8]] {
    names.flatMap { [Array($0.utf8), Array("{\($0)}:bd".utf8)] }
  }
}
