/// A Lua script that Redis runs as one step.
///
/// Its SHA-1, by which Redis knows it, comes from Redis itself: each link loads a script before it
/// first uses it.
public struct RedisScript: Hashable, Sendable {
  /// The script's text.
  public let text: [UInt8]

  /// Wraps a script.
  public init(_ text: String) { self.text = Array(text.utf8) }
}

/// One call of a script: the keys it touches, and its arguments.
public struct RedisScriptCall: Hashable, Sendable {
  /// Of one budget all in one cluster slot.
  public var keys: [[UInt8]]
  /// Anything else.
  public var arguments: [[UInt8]]

  /// Makes a call.
  public init(keys: [[UInt8]], arguments: [[UInt8]]) {
    self.keys = keys
    self.arguments = arguments
  }
}

extension RedisLink {
  /// Runs a script once.
  public mutating func evaluate(
    _ script: RedisScript, keys: [[UInt8]], arguments: [[UInt8]]
  ) throws(RedisError) -> RedisValue {
    let replies = try evaluate(script, [RedisScriptCall(keys: keys, arguments: arguments)])
    guard let reply = replies.first else { throw .closed }
    return reply
  }

  /// Runs a script for each call, in one pipeline; replies come in the order of the calls.
  ///
  /// Calls go out by the script's SHA-1. Those that Redis answers with "no such script" are sent
  /// again in their order, the first of them with the script's text, so they may run after calls
  /// that stand behind them. No call runs twice.
  public mutating func evaluate(
    _ script: RedisScript, _ calls: [RedisScriptCall]
  ) throws(RedisError) -> [RedisValue] {
    guard !calls.isEmpty else { return [] }
    let digest = try digest(of: script)
    guard !digest.isEmpty else {
      return try pipeline(calls.map { $0.command(text: script.text) })
    }
    var replies = try pipeline(calls.map { $0.command(digest: digest) })
    let unknown = replies.indices.filter { replies[$0].refusal?.kind == .noScript }
    guard let first = unknown.first else { return replies }
    var again = [calls[first].command(text: script.text)]
    again += unknown.dropFirst().map { calls[$0].command(digest: digest) }
    for (index, reply) in zip(unknown, try pipeline(again)) { replies[index] = reply }
    return replies
  }

  /// The script's SHA-1 as Redis tells it; empty where this user may not load scripts.
  private mutating func digest(of script: RedisScript) throws(RedisError) -> [UInt8] {
    if let known = digests[script] { return known }
    let reply = try command([Array("SCRIPT".utf8), Array("LOAD".utf8), script.text])
    do throws(RedisError) {
      let digest = try RedisScript.digest(of: reply)
      digests[script] = digest
      return digest
    } catch {
      if case .protocolViolation = error { close() }
      throw error
    }
  }
}

extension RedisScript {
  /// The SHA-1 in the reply to SCRIPT LOAD; empty where this user may not load scripts.
  static func digest(of reply: RedisValue) throws(RedisError) -> [UInt8] {
    switch reply {
    case .bytes(let bytes) where bytes.count == 40 && bytes.allSatisfy(Self.isHexadecimal):
      return bytes
    case .error(let refusal) where refusal.kind == .noPermission: return []
    case .error(let refusal):
      // Loading, busy, a faulty script: the next call asks again.
      throw .refused(command: "SCRIPT LOAD", refusal)
    default:
      throw .protocolViolation("SCRIPT LOAD was answered with something else than a SHA-1")
    }
  }

  private static func isHexadecimal(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
      || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
  }
}

extension RedisScriptCall {
  /// The call with the script's text.
  func command(text: [UInt8]) -> [[UInt8]] { command("EVAL", script: text) }

  /// The call with the script's SHA-1.
  func command(digest: [UInt8]) -> [[UInt8]] { command("EVALSHA", script: digest) }

  private func command(_ name: String, script: [UInt8]) -> [[UInt8]] {
    [Array(name.utf8), script, Array(String(keys.count).utf8)] + keys + arguments
  }
}
