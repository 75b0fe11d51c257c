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
    "ASK": .ask, "CLUSTERDOWN": .clusterDown, "CROSSSLOT": .crossSlot, "TRYAGAIN": .ask,
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
