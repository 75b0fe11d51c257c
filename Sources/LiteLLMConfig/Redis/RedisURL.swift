import Documents

/// A Redis URL, read as LiteLLM's client library does.
struct RedisURL {
  var endpoint: RedisSource.Endpoint
  var username: String?
  var password: RedisSecret?
  var database: Int?
  /// Whether it is `rediss://`.
  var isEncrypted = false
  /// The options of encryption in its query, such as `ssl_ca_certs`.
  var encryption: [String: DocumentNode] = [:]

  /// Why a URL is refused. The URL itself is not in it: it may hold a password.
  enum Refusal: Error, Equatable {
    /// No scheme of Redis'.
    case scheme
    /// The rest.
    case malformed(String)

    /// The fault of a URL in the configuration, and the way out.
    var words: String {
      switch self {
      case .scheme:
        "the url does not begin with redis://, rediss:// or unix://: write redis://host:port"
      case .malformed(let reason):
        "of the url \(reason): write redis://user:password@host:port/database"
      }
    }
  }

  static let defaultPort: UInt16 = 6_379

  init(_ text: String) throws(Refusal) {
    guard let colon = text.firstRange(of: "://") else { throw .scheme }
    let scheme = text[..<colon.lowerBound].lowercased()
    guard ["redis", "rediss", "unix"].contains(scheme) else { throw .scheme }
    isEncrypted = scheme == "rediss"
    var rest = text[colon.upperBound...].prefix { $0 != "#" }
    var query = Substring()
    if let mark = rest.firstIndex(of: "?") {
      query = rest[rest.index(after: mark)...]
      rest = rest[..<mark]
    }
    let slash = rest.firstIndex(of: "/") ?? rest.endIndex
    let path = rest[slash...]
    var host = rest[..<slash]
    endpoint = .unix(path: String(path))
    try readQuery(query)
    if let at = host.lastIndex(of: "@") {
      try readUser(host[..<at])
      host = host[host.index(after: at)...]
    }
    if scheme == "unix" {
      guard path.count > 1, host.isEmpty else {
        throw .malformed("a unix URL has a path and no host, such as unix:///run/redis.sock")
      }
      endpoint = .unix(path: try Self.decoded(path))
    } else {
      endpoint = try Self.endpoint(host)
      if database == nil, path.count > 1 { database = try Self.database(path.dropFirst()) }
    }
  }

  /// The Redis that it names; `username` where it has none.
  func source(username other: String?, origin: String) -> RedisSource {
    RedisSource(
      endpoint: endpoint, username: username ?? other, password: password, database: database ?? 0,
      origin: origin)
  }

  private mutating func readUser(_ text: Substring) throws(Refusal) {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    if let user = parts.first, !user.isEmpty { username = try Self.decoded(user) }
    if parts.count == 2, !parts[1].isEmpty { password = RedisSecret(try Self.decoded(parts[1])) }
  }

  private mutating func readQuery(_ query: Substring) throws(Refusal) {
    for option in query.split(separator: "&") {
      let parts = option.split(separator: "=", maxSplits: 1)
      guard parts.count == 2 else { continue }
      switch parts[0] {
      case "db": database = try Self.database(parts[1])
      case "username": username = try Self.decoded(parts[1])
      case "password": password = RedisSecret(try Self.decoded(parts[1]))
      case let name where name.hasPrefix("ssl_"):
        encryption[String(name)] = DocumentNode(.string(try Self.decoded(parts[1])))
      default: continue
      }
    }
  }

  private static func endpoint(_ text: Substring) throws(Refusal) -> RedisSource.Endpoint {
    let host = try host(text, port: defaultPort)
    return .tcp(host: host.name, port: host.port)
  }

  /// A host and its port, or `defaultPort`.
  static func host(
    _ text: Substring, port defaultPort: UInt16
  ) throws(Refusal) -> RedisSource.Host {
    var host = text
    var port = Substring()
    if text.hasPrefix("[") {
      guard let end = text.firstIndex(of: "]") else {
        throw .malformed("the address in brackets has no end")
      }
      host = text[text.index(after: text.startIndex)..<end]
      let after = text[text.index(after: end)...]
      guard after.isEmpty || after.hasPrefix(":") else {
        throw .malformed("something else than a port follows the address in brackets")
      }
      port = after.dropFirst()
    } else if let colon = text.firstIndex(of: ":") {
      host = text[..<colon]
      port = text[text.index(after: colon)...]
    }
    let name = try decoded(host)
    guard name.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else {
      throw .malformed("the host has a blank or a control character")
    }
    guard !port.isEmpty else { return .init(name.isEmpty ? "localhost" : name, defaultPort) }
    guard let number = UInt16(port), number > 0, port.utf8.allSatisfy({ $0 != 0x2B }) else {
      throw .malformed("the port is not a number from 1 to 65535")
    }
    return .init(name.isEmpty ? "localhost" : name, number)
  }

  static func database(_ text: Substring) throws(Refusal) -> Int {
    guard let number = Int32(text), number >= 0 else {
      throw .malformed("the database is not a number from 0")
    }
    return Int(number)
  }

  /// With `%41` turned into `A`.
  static func decoded(_ text: Substring) throws(Refusal) -> String {
    var bytes: [UInt8] = []
    var rest = Substring(text).utf8
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      let digits = String(rest.prefix(2)) ?? ""
      guard digits.utf8.count == 2, let value = UInt8(digits, radix: 16) else {
        throw .malformed("a percent sign is not followed by two hexadecimal digits")
      }
      bytes.append(value)
      rest = rest.dropFirst(2)
    }
    guard let decoded = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else {
      throw .malformed("the percent signs stand for bytes that are not text")
    }
    return decoded
  }
}
