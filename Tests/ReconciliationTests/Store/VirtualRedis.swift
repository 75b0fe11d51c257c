import LuaScripts
import RedisStore

/// Redis in virtual time: the commands that the script, the reconciler and LiteLLM use.
///
/// The conformance tests hold it against a real server.
final class VirtualRedis {
  enum Stored: Equatable {
    case text([UInt8])
    case hash([String: [UInt8]])
    case sorted([String: Double])
    case list([[UInt8]])
  }

  struct Entry: Equatable {
    var value: Stored
    /// The last millisecond at which the key is there; nil: it stays.
    var expiry: Int64?
  }

  /// The store's clock, milliseconds since 1970.
  var now: Int64
  private(set) var entries: [String: Entry] = [:]
  /// How many commands have changed something.
  private(set) var writes = 0
  private let script: any ScriptHost

  convenience init(script: String, now: Int64) throws {
    self.init(try LuaScript(script), now: now)
  }

  init(_ script: any ScriptHost, now: Int64) {
    self.script = script
    self.now = now
  }

  /// Runs the script as one step.
  func evaluate(_ call: RedisScriptCall) -> RedisValue {
    script.run(keys: call.keys, arguments: call.arguments) { [unowned self] in perform($0) }
  }

  // MARK: - What happens to a server

  func restore(_ entries: [String: Entry]) { self.entries = entries }

  func flush() { entries = [:] }

  /// Takes away what has expired; reading does the same for one key.
  func expireAll() {
    entries = entries.filter { _, entry in entry.expiry.map { now <= $0 } ?? true }
  }

  func lose(_ key: String) { entries[key] = nil }

  // MARK: - What tests look at

  func text(_ key: String) -> String? {
    if case .text(let bytes)? = live(key)?.value {
      String(decoding: bytes, as: UTF8.self)
    } else {
      nil
    }
  }

  func hash(_ key: String) -> [String: String]? {
    guard case .hash(let fields)? = live(key)?.value else { return nil }
    return fields.mapValues { String(decoding: $0, as: UTF8.self) }
  }

  func expiry(_ key: String) -> Int64? { live(key)?.expiry }

  // MARK: - Storage

  func live(_ key: String) -> Entry? {
    guard let entry = entries[key] else { return nil }
    if let expiry = entry.expiry, now > expiry {
      entries[key] = nil
      return nil
    }
    return entry
  }

  /// Puts or takes away (nil) a key: one write.
  func put(_ key: String, _ entry: Entry?) {
    writes += 1
    // A time that has come takes the key away at once.
    if let expiry = entry?.expiry, expiry <= now {
      entries[key] = nil
    } else {
      entries[key] = entry
    }
  }

  static func refusal(_ text: String) -> RedisRefusal {
    LuaScript.refusal(text)
  }
}
