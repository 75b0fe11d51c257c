import Foundation
import LuaScripts
import RedisStore

/// A script under Lua 5.4, as some stores that speak Redis' protocol run it: the interpreter of that
/// name, which asks over a pipe for the answer to each `redis.call`.
final class NewLuaScript: ScriptHost {
  private let process = Process()
  private let asked = Pipe()
  private let told = Pipe()

  struct Ended: Error {}

  /// Texts go as their length, a blank and their bytes; each side begins with a letter.
  private static let driver = #"""
    local function put(s) io.write(#s, ' ', s) end
    local function get() local n = io.read('n'); io.read(1); return n > 0 and io.read(n) or '' end
    local function value()
      local kind = io.read(1)
      if kind == 'b' then return get() end
      if kind == 'i' then return math.tointeger(tonumber(get())) end
      if kind == 's' then return {ok = get()} end
      if kind == 'e' then error({err = get()}, 0) end
      if kind == 'n' then return false end
      local list = {}
      for i = 1, tonumber(get()) do list[i] = value() end
      return list
    end
    redis = {}
    function redis.call(...)
      io.write('c'); put(tostring(select('#', ...)))
      for _, word in ipairs({...}) do put(tostring(word)) end
      io.flush()
      return value()
    end
    function redis.error_reply(text) return {err = text} end
    local function answer(v)
      local t = type(v)
      if t == 'string' then io.write('b'); put(v)
      elseif t == 'number' then io.write('i'); put(string.format('%d', math.floor(v)))
      elseif t == 'table' and v.err then io.write('e'); put(tostring(v.err))
      elseif t == 'table' and v.ok then io.write('s'); put(v.ok)
      elseif t == 'table' then
        io.write('a'); put(tostring(#v))
        for i = 1, #v do answer(v[i]) end
      else io.write('n') end
    end
    local script = assert(load(get(), '@script'))
    while true do
      if io.read(1) ~= 'r' then return end
      KEYS, ARGV = value(), value()
      local ok, result = pcall(script)
      if not ok and type(result) ~= 'table' then result = {err = tostring(result)} end
      answer(result); io.flush()
    end
    """#

  init(_ text: String) throws {
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["lua5.4", "-e", Self.driver]
    process.standardInput = told
    process.standardOutput = asked
    try process.run()
    write(Self.text(Array(text.utf8)))
  }

  deinit {
    // It ends by itself once nobody can ask it any more.
    try? told.fileHandleForWriting.close()
    process.waitUntilExit()
  }

  func run(
    keys: [[UInt8]], arguments: [[UInt8]], call: @escaping ([[UInt8]]) -> RedisValue
  ) -> RedisValue {
    var message = [UInt8(ascii: "r")]
    for words in [keys, arguments] { message += Self.bytes(.array(words.map { .bytes($0) })) }
    write(message)
    while true {
      guard let kind = take(1).first else { return .null }
      guard kind == UInt8(ascii: "c") else { return value(kind) }
      let count = number()
      let words = (0..<count).map { _ in text() }
      write(Self.bytes(call(words)))
    }
  }

  private static func text(_ bytes: [UInt8]) -> [UInt8] { Array("\(bytes.count) ".utf8) + bytes }

  private static func bytes(_ value: RedisValue) -> [UInt8] {
    switch value {
    case .null: return Array("n".utf8)
    case .bytes(let bytes): return Array("b".utf8) + text(bytes)
    case .status(let bytes): return Array("s".utf8) + text(bytes)
    case .integer(let number): return Array("i".utf8) + text(Array("\(number)".utf8))
    case .error(let refusal): return Array("e".utf8) + text(Array(refusal.text.utf8))
    case .array(let values):
      return Array("a".utf8) + text(Array("\(values.count)".utf8)) + values.flatMap(bytes)
    }
  }

  private func value(_ kind: UInt8) -> RedisValue {
    switch kind {
    case UInt8(ascii: "b"): return .bytes(text())
    case UInt8(ascii: "s"): return .status(text())
    case UInt8(ascii: "i"): return .integer(Int64(number()))
    case UInt8(ascii: "e"):
      return .error(LuaScript.refusal(String(decoding: text(), as: UTF8.self)))
    case UInt8(ascii: "a"):
      return .array((0..<number()).map { _ in take(1).first.map { value($0) } ?? .null })
    default: return .null
    }
  }

  private func number() -> Int { Int(String(decoding: text(), as: UTF8.self)) ?? 0 }

  private func text() -> [UInt8] {
    var digits = ""
    while let byte = take(1).first, byte != 0x20 { digits.append(Character(Unicode.Scalar(byte))) }
    return Array(take(Int(digits) ?? 0))
  }

  private var come: [UInt8] = []
  private var used = 0

  private func take(_ count: Int) -> ArraySlice<UInt8> {
    while come.count - used < count {
      let data = asked.fileHandleForReading.availableData
      if data.isEmpty { return [] }
      come = Array(come[used...]) + data
      used = 0
    }
    used += count
    return come[(used - count)..<used]
  }

  private func write(_ bytes: [UInt8]) { told.fileHandleForWriting.write(Data(bytes)) }
}
