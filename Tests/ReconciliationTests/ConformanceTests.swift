import Reconciliation
import RedisStore
import SeededRandom
import Testing

/// The stand-in for Redis against a real server: the same commands, the same replies.
@Suite(.serialized) struct ConformanceTests {
  private static let keys = ["a", "b", "h", "z"]
  private static let numbers = [
    "0", "1", "0.1", "1e-12", "0.000000000001", "9000000000", "8191.999999999999", "-0.5", "1e-05",
    "12.345678901234", "abc", "", " 1", "nan", "inf", "1e400", "-1e-20",
    "123456789012345.000000000001",
  ]

  @Test(arguments: 1...8) func sameReplies(_ seed: UInt64) throws {
    let server = try RealRedis()
    var link = try RedisLink.connect(server.settings)
    let virtual = try VirtualRedis(script: SpendScript.text, now: 0)
    var random = SeededRandom(seed: seed)
    let base = try now(&link)
    for step in 0..<1_500 {
      virtual.now = try now(&link)
      if random.chance(0.25) {
        let call = scriptCall(&random, base, number: step)
        let real = try link.evaluate(
          SpendScript.script, keys: call.keys, arguments: call.arguments)
        compare(real, virtual.evaluate(call), step, "script \(texts(call.arguments))")
      } else {
        let words = command(&random, base)
        let real = try link.command(words.map { Array($0.utf8) })
        compare(real, virtual.perform(words.map { Array($0.utf8) }), step, "\(words)")
      }
    }
    for key in Self.keys + ["{a}:bd", "{b}:bd"] {
      let fields = try link.command("HGETALL", key).array ?? []
      #expect(fields.count == 2 * (virtual.hash(key)?.count ?? 0), "\(key)")
    }
  }

  /// Redis keeps a key during the millisecond at which it ends.
  @Test func theLastMillisecond() throws {
    let server = try RealRedis()
    var link = try RedisLink.connect(server.settings)
    let look = RedisScript(
      "local t = redis.call('TIME'); return {t[1] * 1000 + math.floor(t[2] / 1000),"
        + "redis.call('PTTL', KEYS[1]), redis.call('GET', KEYS[1])}")
    var wasSeenAtItsEnd = false
    for _ in 0..<20 where !wasSeenAtItsEnd {
      let end = try now(&link) + 4
      _ = try link.command("SET", "k", "v", "PXAT", "\(end)")
      while true {
        let reply = try link.evaluate(look, keys: [Array("k".utf8)], arguments: [])
        let fields = try #require(reply.array)
        let time = try #require(fields[0].integer)
        // A script that returns nil as its last value returns one value fewer.
        let isThere = fields.count == 3 && fields[2].bytes != nil
        #expect(isThere || time > end, "gone at \(time), before its end \(end)")
        if isThere, time == end { wasSeenAtItsEnd = fields[1].integer == 0 }
        // A script's keys end by the time at its start, and that may be the millisecond before TIME.
        if time > end + 1 {
          #expect(!isThere, "there at \(time), after its end \(end)")
          break
        }
      }
    }
    #expect(wasSeenAtItsEnd)
  }

  private func now(_ link: inout RedisLink) throws -> Int64 {
    let parts = try #require(try link.command("TIME").array)
    let numbers = parts.compactMap {
      $0.bytes.flatMap { Int64(String(decoding: $0, as: UTF8.self)) }
    }
    try #require(numbers.count == 2)
    return numbers[0] * 1_000 + numbers[1] / 1_000
  }

  private func command(_ random: inout SeededRandom, _ base: Int64) -> [String] {
    let key = random.pick(Self.keys)
    let number = random.pick(Self.numbers)
    let instant = "\(random.pick([base + 3_600_000, base + 7_200_000, base - 5_000]))"
    let seconds = random.pick(["3600", "7200", "0", "-1"])
    return random.pick([
      ["GET", key], ["SET", key, number], ["SET", key, number, "NX"],
      ["SET", key, number, "EX", seconds], ["SET", key, number, "NX", "PXAT", instant],
      ["SET", key, number, "PX", "3600000"], ["DEL", key], ["PTTL", key], ["EXPIRE", key, seconds],
      ["PEXPIREAT", key, instant], ["INCRBYFLOAT", key, number], ["INCRBYFLOAT", key, number],
      ["HSET", "h", number, "1", key, "2"], ["HSET", key, "f", number], ["HGET", key, "f"],
      ["HMGET", key, "f", "a", "b"], ["ZADD", "z", "\(random.below(100))", key],
      ["ZADD", key, "1", "m"],
      ["ZADD", random.pick(["z", key]), "GT", "\(random.below(100))", "a", "7", "m"],
      ["ZSCORE", random.pick(["z", key]), random.pick(["a", "m"])],
      [
        "ZRANGEBYSCORE", random.pick(["z", key]), "\(random.below(50))", "+inf", "LIMIT", "0", "2",
      ],
      ["RPUSH", random.pick(["l", key]), "x", "y"],
      ["LPOP", random.pick(["l", key]), "\(1 + random.below(3))"],
      ["PEXPIRE", "l", "600000"],
      ["ZCOUNT", random.pick(["z", key]), "\(random.below(50))", "+inf"],
      ["ZREMRANGEBYSCORE", "z", "-inf", "\(random.below(20))"], ["MGET"] + Self.keys,
      ["GET"], ["SET", key], ["NONSENSE", key], ["HGETALL", "h"], ["HGETALL", key],
      ["HDEL", "h", number, "b"], ["HDEL", key, "f"],
    ])
  }

  private func scriptCall(
    _ random: inout SeededRandom, _ base: Int64, number: Int
  ) -> RedisScriptCall {
    let key = random.pick(["a", "b", "h"])
    let length: Int64 = 4_000_000
    let shift = random.pick([0, 0, 0, 1, 500_000, -8_000_000])
    let start = base - 100_000 + Int64(shift)
    var words = [
      random.pick(["SYNC", "SYNC", "SYNC", "SYNC", "RESET", "OPEN"]), "\(start)",
      "\(start + length)", "\(length)", "e\(random.below(9))",
      random.pick(["0", "1", "9000000000.5"]), random.pick(["-", "F", "R", "FR"]),
    ]
    if words[0] != "RESET" || random.chance(0.1) {
      for _ in 0..<(1 + random.below(2)) {
        words += [
          "o\(random.below(3))",
          random.pick([
            "0.000000000001", "1.500000000000", "9000000000.000000000003", "x",
            "1000000000000000000.000000000001",
          ]),
          random.pick(["0.000000000000", "1.000000000000"]),
        ]
      }
    }
    var names = [key, "{\(key)}:bd"]
    if words[0] == "SYNC", random.chance(0.4) {
      names.append("{\(key)}:bdh")
      words[7..<7] = [
        "o.\(random.below(3))", "\(number)", random.chance(0.9) ? "0" : "\(number - 1)",
        random.pick(["0.000000000000", "1.000000000001", "x"]), random.pick(["60000", "4000000"]),
        random.pick(["0", "0", "0", "1e20"]), random.pick(["-", "20.000000000000"]),
        random.pick(["0.000000000000", "3.000000000000"]), "0.000000000001",
        random.pick(["", "2.500000000000,0.100000000000"]), random.pick(["", "", "o.1"]),
      ]
    }
    return RedisScriptCall(
      keys: names.map { Array($0.utf8) }, arguments: words.map { Array($0.utf8) })
  }

  private func compare(_ real: RedisValue, _ virtual: RedisValue, _ step: Int, _ what: String) {
    switch (real, virtual) {
    case (.error(let one), .error(let other)):
      // The sentence names the script's digest and line.
      let codes = [one, other].map { $0.text.split(separator: " ").first }
      #expect(codes[0] == codes[1], "step \(step), \(what): \(one.text), \(other.text)")
    case (.array(let one), .array(let other)) where what.contains("HGETALL"):
      // In any order.
      #expect(fields(one) == fields(other), "step \(step), \(what)")
    case (.integer(let one), .integer(let other)) where what.contains("PTTL"):
      #expect(abs(one - other) < 2_000 && (one < 0) == (other < 0), "step \(step), \(what)")
    case (.array(var one), .array(var other)) where what.hasPrefix("script"):
      // The clock has gone on.
      if one.count > 7, other.count > 7 { (one[7], other[7]) = (.null, .null) }
      if let last = one.indices.last, what.contains("o.") {
        let ends = [one, other].map { $0.last?.bytes.map { String(decoding: $0, as: UTF8.self) } }
        if let left = ends[0].flatMap({ $0 }).flatMap({ Int64($0) }),
          let right = ends[1].flatMap({ $0 }).flatMap({ Int64($0) }), abs(left - right) < 2_000
        {
          (one[last], other[other.count - 1]) = (.null, .null)
        }
      }
      #expect(one == other, "step \(step), \(what)")
    default:
      #expect(real == virtual, "step \(step), \(what): \(shown(real)), \(shown(virtual))")
    }
  }

  private func fields(_ values: [RedisValue]) -> [String: RedisValue] {
    let pairs = stride(from: 0, to: values.count - 1, by: 2)
    return Dictionary(
      pairs.map { (shown(values[$0]), values[$0 + 1]) }, uniquingKeysWith: { first, _ in first })
  }

  private func shown(_ value: RedisValue) -> String {
    value.bytes.map { String(decoding: $0, as: UTF8.self) } ?? "\(value)"
  }

  private func texts(_ words: [[UInt8]]) -> String {
    words.map { String(decoding: $0, as: UTF8.self) }.joined(separator: " ")
  }
}
