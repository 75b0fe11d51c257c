/// Why Redis refused a command.
public struct RedisRefusal: Hashable, Sendable {
  /// Its meaning to us.
  public var kind: Kind
  /// Redis' own words: printable, at most `PrintableText.maximumLength` characters.
  public var text: String

  /// The refusals that are told apart.
  public enum Kind: String, CaseIterable, Hashable, Sendable {
    /// The script is not in Redis' cache.
    case noScript
    /// Redis is reading its data; it answers soon.
    case loading
    /// A replica, which takes no writes.
    case readOnly
    /// Another node of a cluster has the key.
    case moved
    /// Another node of a cluster is about to have the key.
    case ask
    /// The keys of one call are on two nodes of a cluster, since their slot is under way.
    case tryAgain
    /// The node of a cluster that has the key is away, or refuses all; others may be there.
    case nodeAway
    /// A cluster that does not have all its slots.
    case clusterDown
    /// Keys of several slots in one command, in a cluster.
    case crossSlot
    /// A replica without its master, set not to answer.
    case masterDown
    /// A script runs for too long.
    case busy
    /// Redis' memory is full and nothing may be evicted.
    case outOfMemory
    /// Redis cannot save and was told to take no writes then.
    case cannotSave
    /// Fewer replicas than Redis was told to need for writes.
    case noReplicas
    /// The user may not do this.
    case noPermission
    /// No password was given, and one is needed.
    case noAuthentication
    /// User or password is wrong.
    case wrongPassword
    /// The key holds another type.
    case wrongType
    /// Anything else, the script's own errors included.
    case other
  }

  /// Makes a refusal.
  public init(kind: Kind, text: String) {
    self.kind = kind
    self.text = text
  }
}

extension RedisRefusal {
  /// Reads a refusal as Redis words it: a code in capitals, a blank, a sentence.
  init(reply: [UInt8]) {
    let code = String(decoding: reply.prefix(while: { $0 != 0x20 }).prefix(32), as: UTF8.self)
    self.init(kind: Self.kinds[code] ?? .other, text: PrintableText.bounded(reply))
    // Redis 7.0 words it so when a script may not do it, in place of the plain code.
    if kind == .other, let first = Self.firstCode(in: reply) { kind = first }
  }

  private static let kinds: [String: Kind] = [
    "NOSCRIPT": .noScript, "LOADING": .loading, "READONLY": .readOnly, "MOVED": .moved,
    "ASK": .ask, "CLUSTERDOWN": .clusterDown, "CROSSSLOT": .crossSlot, "TRYAGAIN": .tryAgain,
    "MASTERDOWN": .masterDown, "BUSY": .busy, "OOM": .outOfMemory, "MISCONF": .cannotSave,
    "NOREPLICAS": .noReplicas, "NOPERM": .noPermission, "NOAUTH": .noAuthentication,
    "WRONGPASS": .wrongPassword, "WRONGTYPE": .wrongType,
  ]

  private static func firstCode(in reply: [UInt8]) -> Kind? {
    // "ERR Error running script ...: @user_script:1: -READONLY You can't ..." of Redis before 7.
    let text = String(decoding: reply.prefix(512), as: UTF8.self)
    guard text.hasPrefix("ERR Error running script") || text.hasPrefix("ERR user_script") else {
      // "ERR invalid password" of Redis before 6.
      return text.hasPrefix("ERR invalid password") ? .wrongPassword : nil
    }
    for word in text.split(separator: " ") {
      let code = word.hasPrefix("-") ? word.dropFirst() : word
      if let kind = kinds[String(code)] { return kind }
    }
    return nil
  }
}
