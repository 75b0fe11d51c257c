import Documents

/// Which Redis the budgets are shared through, and where that is written.
public struct RedisSource: Sendable {
  /// Its address.
  public var endpoint: Endpoint
  /// The ACL user; nil: the default user.
  public var username: String?
  /// The password; nil: none.
  public var password: RedisSecret?
  /// The sentinels' ACL user; nil: the default user.
  public var sentinelUsername: String?
  /// The sentinels' password; nil: none.
  public var sentinelPassword: RedisSecret?
  /// How the connection is encrypted; nil: it is not.
  public var tls: RedisEncryption?
  /// The database, from 0.
  public var database: Int
  /// The prefix of every key, without the colon; nil: none.
  public var namespace: String?
  /// The setting that names it, such as `router_settings.redis_host` or `--redis`. No part of what
  /// is compared.
  public var origin: String

  /// The address of a Redis.
  public enum Endpoint: Hashable, Sendable {
    /// A host's name or its address, and a port.
    case tcp(host: String, port: UInt16)
    /// The path of a Unix socket.
    case unix(path: String)
    /// The one that is the master at the time, which sentinels name.
    case sentinel([Host], service: String)
    /// Nodes of a cluster to begin with.
    case cluster([Host])
  }

  /// A host and a port.
  public struct Host: Hashable, Sendable {
    /// A name or an address.
    public var name: String
    /// Its port.
    public var port: UInt16

    /// Makes a host.
    public init(_ name: String, _ port: UInt16) {
      self.name = name
      self.port = port
    }
  }

  /// Makes a source.
  public init(
    endpoint: Endpoint, username: String? = nil, password: RedisSecret? = nil, database: Int = 0,
    namespace: String? = nil, origin: String
  ) {
    self.endpoint = endpoint
    self.username = username
    self.password = password
    self.database = database
    self.namespace = namespace
    self.origin = origin
  }
}

extension RedisSource: Equatable {
  /// Whether both mean the same Redis, the same user and the same keys, wherever that is written.
  public static func == (left: RedisSource, right: RedisSource) -> Bool {
    left.changes(to: right).isEmpty
  }

  /// The names of what `other` has otherwise, such as `address` or `password`; empty: nothing.
  public func changes(to other: RedisSource) -> [String] {
    func differ(_ left: String?, _ right: String?) -> Bool {
      guard let left, let right else { return left != right }
      return !left.hasSameBytes(as: right)
    }
    var changes: [String] = []
    if endpoint != other.endpoint { changes.append("address") }
    if differ(username, other.username) { changes.append("user") }
    if password != other.password { changes.append("password") }
    if sentinelPassword != other.sentinelPassword
      || differ(sentinelUsername, other.sentinelUsername)
    {
      changes.append("log-in at the sentinels")
    }
    if tls != other.tls { changes.append("encryption") }
    if database != other.database { changes.append("database") }
    if differ(namespace, other.namespace) { changes.append("namespace") }
    return changes
  }
}

extension RedisSource: CustomStringConvertible {
  /// `cache:6379, database 2, user budgetd, with a password, namespace ns`; never the password.
  public var description: String {
    var text = endpoint.description
    if database != 0 { text += ", database \(database)" }
    if let username { text += ", user \(DocumentProblem.plain(username))" }
    if password != nil { text += ", with a password" }
    if case .sentinel = endpoint, sentinelPassword != nil { text += ", sentinels with a password" }
    if let tls { text += ", \(tls)" }
    if let namespace { text += ", namespace \(DocumentProblem.plain(namespace))" }
    return text
  }
}

extension RedisSource.Endpoint: CustomStringConvertible {
  /// `host:port`, `[::1]:port`, `unix:/path`, `sentinel a:1,b:2 service` or `cluster a:1,b:2`.
  public var description: String {
    switch self {
    case .unix(let path): "unix:\(DocumentProblem.plain(path))"
    case .tcp(let host, let port): "\(RedisSource.Host(host, port))"
    case .sentinel(let hosts, let service):
      "\(DocumentProblem.plain(service)) by sentinels \(Self.list(hosts))"
    case .cluster(let hosts): "cluster \(Self.list(hosts))"
    }
  }

  private static func list(_ hosts: [RedisSource.Host]) -> String {
    hosts.map(\.description).joined(separator: ",")
  }
}

extension RedisSource.Host: CustomStringConvertible {
  /// `host:port` or `[::1]:port`.
  public var description: String {
    let name = DocumentProblem.plain(name)
    return name.contains(":") ? "[\(name)]:\(port)" : "\(name):\(port)"
  }
}
