import LuaScripts
import RedisStore

extension VirtualRedis {
  private static let ok = RedisValue.status(Array("OK".utf8))
  private static let wrongType = error(
    "WRONGTYPE Operation against a key holding the wrong kind of value")
  private static let notFloat = error("ERR value is not a valid float")

  private static func error(_ text: String) -> RedisValue { .error(refusal(text)) }

  /// Runs one command.
  func perform(_ command: [[UInt8]]) -> RedisValue {
    let words = command.map { String(decoding: $0, as: UTF8.self) }
    guard let name = words.first?.uppercased() else { return Self.error("ERR no command") }
    switch (name, words.count) {
    case ("TIME", 1):
      return .array([
        .bytes(Array("\(now / 1_000)".utf8)), .bytes(Array("\(now % 1_000 * 1_000)".utf8)),
      ])
    case ("FLUSHALL", 1):
      flush()
      return Self.ok
    case ("GET", 2): return get(words[1])
    case ("MGET", 2...): return .array(words[1...].map { get($0, else: .null) })
    case ("SET", 3...): return set(words, value: command[2])
    case ("DEL", 2):
      guard live(words[1]) != nil else { return .integer(0) }
      put(words[1], nil)
      return .integer(1)
    case ("PTTL", 2):
      guard let entry = live(words[1]) else { return .integer(-2) }
      return .integer(entry.expiry.map { $0 - now } ?? -1)
    case ("EXPIRE", 3): return expire(words[1], at: Int64(words[2]).map { now + $0 * 1_000 })
    case ("PEXPIREAT", 3): return expire(words[1], at: Int64(words[2]))
    case ("INCRBYFLOAT", 3): return increase(words[1], by: command[2])
    case ("HSET", 4...): return setFields(words[1], Array(command[2...]))
    case ("HGET", 3), ("HMGET", 3...): return fields(name, words)
    case ("HGETALL", 2), ("HDEL", 3...): return allFields(name, words)
    case ("ZADD", 4...): return add(words)
    case ("ZSCORE", 3): return score(words)
    case ("ZRANGEBYSCORE", 7): return named(words)
    case ("RPUSH", 3...): return push(words[1], Array(command[2...]))
    case ("LPOP", 3): return pop(words[1], atMost: Int(words[2]) ?? 0)
    case ("PEXPIRE", 3): return expire(words[1], at: Int64(words[2]).map { now + $0 })
    case ("ZCOUNT", 4), ("ZREMRANGEBYSCORE", 4): return range(name, words)
    default: return Self.error("ERR unknown command or wrong number of arguments for '\(name)'")
    }
  }

  private func get(_ key: String, else other: RedisValue = wrongType) -> RedisValue {
    switch live(key)?.value {
    case nil: .null
    case .text(let bytes): .bytes(bytes)
    default: other
    }
  }

  private func set(_ words: [String], value: [UInt8]) -> RedisValue {
    var expiry: Int64?
    var onlyNew = false
    var index = 3
    while index < words.count {
      switch words[index].uppercased() {
      case "NX": onlyNew = true
      case "EX", "PX", "PXAT":
        guard index + 1 < words.count, let number = Int64(words[index + 1]) else {
          return Self.error("ERR value is not an integer or out of range")
        }
        guard number > 0 else { return Self.error("ERR invalid expire time in 'set' command") }
        switch words[index].uppercased() {
        case "EX": expiry = now + number * 1_000
        case "PX": expiry = now + number
        default: expiry = number
        }
        index += 1
      default: return Self.error("ERR syntax error")
      }
      index += 1
    }
    if onlyNew, live(words[1]) != nil { return .null }
    put(words[1], Entry(value: .text(value), expiry: expiry))
    return Self.ok
  }

  private func expire(_ key: String, at instant: Int64?) -> RedisValue {
    guard let instant else { return Self.error("ERR value is not an integer or out of range") }
    guard var entry = live(key) else { return .integer(0) }
    entry.expiry = instant
    put(key, entry)
    return .integer(1)
  }

  private func increase(_ key: String, by added: [UInt8]) -> RedisValue {
    let entry = live(key)
    let before: [UInt8]
    switch entry?.value {
    case nil: before = [UInt8(ascii: "0")]
    case .text(let bytes): before = bytes
    default: return Self.wrongType
    }
    guard let sum = LuaScript.sum(before, added) else { return Self.notFloat }
    put(key, Entry(value: .text(sum), expiry: entry?.expiry))
    return .bytes(sum)
  }

  private func setFields(_ key: String, _ pairs: [[UInt8]]) -> RedisValue {
    guard pairs.count % 2 == 0 else {
      return Self.error("ERR wrong number of arguments for 'hset' command")
    }
    let entry = live(key)
    var fields: [String: [UInt8]] = [:]
    switch entry?.value {
    case nil: break
    case .hash(let found): fields = found
    default: return Self.wrongType
    }
    var new: Int64 = 0
    for index in stride(from: 0, to: pairs.count, by: 2) {
      let name = String(decoding: pairs[index], as: UTF8.self)
      if fields.updateValue(pairs[index + 1], forKey: name) == nil { new += 1 }
    }
    put(key, Entry(value: .hash(fields), expiry: entry?.expiry))
    return .integer(new)
  }

  private func fields(_ name: String, _ words: [String]) -> RedisValue {
    var fields: [String: [UInt8]] = [:]
    switch live(words[1])?.value {
    case nil: break
    case .hash(let found): fields = found
    default: return Self.wrongType
    }
    let values = words[2...].map { fields[$0].map { RedisValue.bytes($0) } ?? .null }
    return name == "HGET" ? values[0] : .array(values)
  }

  private func allFields(_ name: String, _ words: [String]) -> RedisValue {
    guard let entry = live(words[1]) else { return name == "HDEL" ? .integer(0) : .array([]) }
    guard case .hash(let fields) = entry.value else { return Self.wrongType }
    guard name == "HDEL" else {
      return .array(
        fields.sorted { $0.key < $1.key }.flatMap {
          [.bytes(Array($0.key.utf8)), .bytes($0.value)]
        }
      )
    }
    let rest = fields.filter { !words[2...].contains($0.key) }
    if rest.count < fields.count {
      put(words[1], rest.isEmpty ? nil : Entry(value: .hash(rest), expiry: entry.expiry))
    }
    return .integer(Int64(fields.count - rest.count))
  }

  private func members(_ key: String) -> [String: Double]? {
    switch live(key)?.value {
    case nil: [:]
    case .sorted(let members): members
    default: nil
    }
  }

  private func add(_ words: [String]) -> RedisValue {
    let keepsLater = words[2] == "GT"
    let pairs = words[(keepsLater ? 3 : 2)...]
    guard pairs.count % 2 == 0 else { return Self.error("ERR syntax error") }
    guard var members = members(words[1]) else { return Self.wrongType }
    var new: Int64 = 0
    for place in stride(from: pairs.startIndex, to: pairs.endIndex, by: 2) {
      guard let score = Double(pairs[place]) else { return Self.notFloat }
      let before = members[pairs[place + 1]]
      if before == nil { new += 1 }
      if keepsLater, let before, before >= score { continue }
      members[pairs[place + 1]] = score
    }
    put(words[1], Entry(value: .sorted(members), expiry: live(words[1])?.expiry))
    return .integer(new)
  }

  private func score(_ words: [String]) -> RedisValue {
    guard let members = members(words[1]) else { return Self.wrongType }
    return members[words[2]].map { .bytes(Array("\(Int64($0))".utf8)) } ?? .null
  }

  /// ZRANGEBYSCORE key low +inf LIMIT 0 most.
  private func named(_ words: [String]) -> RedisValue {
    guard let members = members(words[1]) else { return Self.wrongType }
    guard let low = Double(words[2]), words[3] == "+inf", words[4] == "LIMIT", words[5] == "0",
      let most = Int(words[6])
    else { return Self.error("ERR syntax error") }
    let found = members.filter { $0.value >= low }.sorted {
      ($0.value, $0.key) < ($1.value, $1.key)
    }
    return .array(found.prefix(most).map { .bytes(Array($0.key.utf8)) })
  }

  private func list(_ key: String) -> [[UInt8]]? {
    switch live(key)?.value {
    case nil: []
    case .list(let values): values
    default: nil
    }
  }

  private func push(_ key: String, _ values: [[UInt8]]) -> RedisValue {
    guard let before = list(key) else { return Self.wrongType }
    put(key, Entry(value: .list(before + values), expiry: live(key)?.expiry))
    return .integer(Int64(before.count + values.count))
  }

  private func pop(_ key: String, atMost most: Int) -> RedisValue {
    guard let values = list(key) else { return Self.wrongType }
    if values.isEmpty { return .null }
    let rest = Array(values.dropFirst(most))
    put(key, rest.isEmpty ? nil : Entry(value: .list(rest), expiry: live(key)?.expiry))
    return .array(values.prefix(most).map { .bytes($0) })
  }

  private func range(_ name: String, _ words: [String]) -> RedisValue {
    func bound(_ text: String) -> Double? {
      switch text {
      case "-inf": -.infinity
      case "+inf": .infinity
      default: Double(text)
      }
    }
    guard let low = bound(words[2]), let high = bound(words[3]) else {
      return Self.error("ERR min or max is not a float")
    }
    guard let members = members(words[1]) else { return Self.wrongType }
    let rest = members.filter { $0.value < low || $0.value > high }
    let count = Int64(members.count - rest.count)
    if name == "ZREMRANGEBYSCORE", count > 0 {
      put(
        words[1],
        rest.isEmpty ? nil : Entry(value: .sorted(rest), expiry: live(words[1])?.expiry))
    }
    return .integer(count)
  }
}
