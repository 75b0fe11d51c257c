import CLuaHost
public import RedisStore

/// A script that runs as one step, with `redis.call` answered by whoever runs it.
public protocol ScriptHost {
  /// Runs the script.
  func run(
    keys: [[UInt8]], arguments: [[UInt8]], call: @escaping ([[UInt8]]) -> RedisValue
  ) -> RedisValue
}

/// A script under Lua 5.1, as Redis runs it: compiled once, with `redis.call` answered here.
///
/// The only file of these tests that touches raw memory.
@safe public final class LuaScript: ScriptHost {
  /// Answers one `redis.call`.
  public typealias Call = ([[UInt8]]) -> RedisValue

  /// The C side hands this back at each call.
  @safe private final class Run {
    let host: OpaquePointer
    let call: Call

    init(host: OpaquePointer, call: @escaping Call) {
      unsafe self.host = unsafe host
      self.call = call
    }
  }

  private let host: OpaquePointer

  /// The text is not a script.
  public struct DoesNotCompile: Error {}

  /// Compiles a script.
  public init(_ text: String) throws {
    let made = unsafe lua_host_make(text, text.utf8.count) { context, count, words, lengths in
      guard let context = unsafe context, let words = unsafe words, let lengths = unsafe lengths
      else { return }
      let run = unsafe Unmanaged<Run>.fromOpaque(context).takeUnretainedValue()
      var command: [[UInt8]] = []
      for index in 0..<Int(count) {
        guard let word = unsafe words[index] else { return }
        let bytes = unsafe UnsafeRawBufferPointer(start: word, count: lengths[index])
        unsafe command.append(Array(bytes))
      }
      unsafe LuaScript.push(run.call(command), run.host)
    }
    guard let made = unsafe made else { throw DoesNotCompile() }
    unsafe host = unsafe made
  }

  deinit { unsafe lua_host_free(host) }

  /// Runs the script.
  public func run(keys: [[UInt8]], arguments: [[UInt8]], call: @escaping Call) -> RedisValue {
    unsafe lua_host_begin(host)
    for key in keys { unsafe Self.with(key) { unsafe lua_host_key(host, $0, $1) } }
    for word in arguments { unsafe Self.with(word) { unsafe lua_host_argument(host, $0, $1) } }
    let run = unsafe Run(host: host, call: call)
    unsafe lua_host_run(host, Unmanaged.passUnretained(run).toOpaque())
    return withExtendedLifetime(run) { value() }
  }

  /// INCRBYFLOAT's arithmetic, long double; nil: not numbers, or no finite sum.
  public static func sum(_ value: [UInt8], _ added: [UInt8]) -> [UInt8]? {
    var out = [CChar](repeating: 0, count: 8_192)
    let length = unsafe out.withUnsafeMutableBufferPointer { out in
      unsafe with(value) { left, leftCount in
        unsafe with(added) { right, rightCount in
          unsafe lua_host_add_float(left, leftCount, right, rightCount, out.baseAddress)
        }
      }
    }
    return length < 0 ? nil : out[..<Int(length)].map { UInt8(bitPattern: $0) }
  }

  /// A refusal of that text.
  public static func refusal(_ text: String) -> RedisRefusal {
    RedisRefusal(kind: text.hasPrefix("WRONGTYPE") ? .wrongType : .other, text: text)
  }

  private static func push(_ value: RedisValue, _ host: OpaquePointer) {
    switch value {
    case .null: unsafe lua_host_push_null(host)
    case .bytes(let bytes): unsafe with(bytes) { unsafe lua_host_push_bytes(host, $0, $1) }
    case .status(let bytes): unsafe with(bytes) { unsafe lua_host_push_status(host, $0, $1) }
    case .integer(let number): unsafe lua_host_push_integer(host, number)
    case .array(let values):
      for value in values { unsafe push(value, host) }
      unsafe lua_host_push_array(host, Int32(values.count))
    case .error(let refusal):
      unsafe with(Array(refusal.text.utf8)) { unsafe lua_host_push_error(host, $0, $1) }
    }
  }

  private func value() -> RedisValue {
    switch unsafe Int(lua_host_kind(host)) {
    case LUA_HOST_BYTES: return .bytes(bytes())
    case LUA_HOST_STATUS: return .status(bytes())
    case LUA_HOST_INTEGER: return .integer(unsafe lua_host_integer(host))
    case LUA_HOST_ERROR:
      return .error(Self.refusal(String(decoding: bytes(), as: UTF8.self)))
    case LUA_HOST_ARRAY:
      let count = unsafe lua_host_count(host)
      var values: [RedisValue] = []
      for index in 0..<count {
        unsafe lua_host_enter(host, Int32(index + 1))
        values.append(value())
        unsafe lua_host_leave(host)
      }
      return .array(values)
    default: return .null
    }
  }

  private func bytes() -> [UInt8] {
    var count = 0
    guard let start = unsafe lua_host_bytes(host, &count) else { return [] }
    return unsafe Array(UnsafeRawBufferPointer(start: start, count: count))
  }

  private static func with<Result>(
    _ bytes: [UInt8], _ body: (UnsafePointer<CChar>?, Int) -> Result
  ) -> Result {
    unsafe bytes.withUnsafeBytes { raw in
      unsafe body(raw.bindMemory(to: CChar.self).baseAddress, raw.count)
    }
  }
}
