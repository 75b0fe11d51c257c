public import TLS

/// How to reach one Redis.
public struct RedisSettings: Hashable, Sendable {
  /// Its address; of a cluster that of one node to begin with.
  public var address: RedisAddress
  /// How its servers are found.
  public var topology = RedisTopology.single
  /// How connections are encrypted; nil: they are not. Sentinels' too.
  public var encryption: RedisTLS?
  /// The ACL user; nil: the default user.
  public var username: String?
  /// The password; nil: none is sent, unless there is a user.
  public var password: RedisPassword?
  /// The database, from 0.
  public var database = 0
  /// The prefix of every key, without the colon; nil: none.
  public var namespace: String?
  /// How long a lookup of the host's name, and after it a connect, may take.
  public var connectTimeout = Duration.milliseconds(500)
  /// How long a command may take from its first byte to the last one of its reply.
  public var commandTimeout = Duration.seconds(1)
  /// The name that `CLIENT LIST` shows; 1 to 64 printable characters without blanks.
  public var clientName = "budgetd"
  /// The bounds of one exchange.
  public var bounds = RedisBounds.standard

  /// The standard settings for one address.
  public init(address: RedisAddress) { self.address = address }
}

/// How many servers there are, and how they are found.
public enum RedisTopology: Hashable, Sendable {
  /// One, at the address.
  case single
  /// One of several that is the master at the time, which sentinels name.
  case sentinel(RedisSentinels)
  /// Several masters, each with its part of the keys, found through any of these nodes.
  case cluster([RedisAddress])
}

/// The encryption of connections to Redis.
public struct RedisTLS: Hashable, Sendable {
  /// The certificates shown, and how much is verified. Older Redis services speak TLS 1.2.
  public var client: TLSContext.Client
  /// The name that servers' certificates have to bear; nil: the host's, or its address.
  public var serverName: String?

  /// Makes the settings.
  public init(_ client: TLSContext.Client, serverName: String? = nil) {
    self.client = client
    self.client.takesOlderVersion = true
    self.serverName = serverName
  }

  /// The context of the next connections. Its files are read again once they were read a minute ago,
  /// so that certificates can be replaced; where they are no good, the ones before hold.
  public func context() throws(TLSFailure) -> TLSContext {
    try RedisTLSContexts.shared.context(of: client)
  }

  /// Has the files of all connections to Redis read again for the next ones; those open go on as they are.
  public static func readFilesAgain() { RedisTLSContexts.shared.readFilesAgain() }

  /// When the certificate that is shown ends, in Unix seconds; nil: none is, or none can be.
  public var certificateEnd: Int64? {
    guard client.certificate != nil else { return nil }
    // A file that is no good any more is told of where a connection needs it.
    return (try? context())?.certificateEnd
  }
}

/// Sentinels, which watch over a master and its replicas.
public struct RedisSentinels: Hashable, Sendable {
  /// Their addresses.
  public var nodes: [RedisAddress]
  /// The name that they know the master by.
  public var service: String
  /// Their ACL user; nil: the default user.
  public var username: String?
  /// Their password; nil: none is sent.
  public var password: RedisPassword?

  /// Makes them.
  public init(
    _ nodes: [RedisAddress], service: String, username: String? = nil,
    password: RedisPassword? = nil
  ) {
    self.nodes = nodes
    self.service = service
    self.username = username
    self.password = password
  }
}

/// The address of a Redis.
public enum RedisAddress: Hashable, Sendable {
  /// A host's name or its address, and a port.
  case tcp(host: String, port: UInt16)
  /// The path of a Unix socket.
  case unix(path: String)
}

extension RedisAddress: CustomStringConvertible {
  /// `host:port`, `[::1]:port` or `unix:/path`; characters that are not printable are escaped.
  public var description: String {
    switch self {
    case .tcp(let host, let port):
      let name = PrintableText.bounded(host)
      return host.utf8.contains(UInt8(ascii: ":")) ? "[\(name)]:\(port)" : "\(name):\(port)"
    case .unix(let path): return "unix:\(PrintableText.bounded(path))"
    }
  }
}

/// A password that prints as nothing but its presence.
public struct RedisPassword: Hashable, Sendable {
  let bytes: [UInt8]

  /// Wraps a password.
  public init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Wraps a password.
  public init(_ text: String) { bytes = Array(text.utf8) }
}

extension RedisPassword: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// Never the password.
  public var description: String { "(hidden)" }
  /// Never the password.
  public var debugDescription: String { "(hidden)" }
  /// Nothing, so that `dump` shows nothing either.
  public var customMirror: Mirror { Mirror(self, children: []) }
}

/// The bounds of one exchange with Redis, a command or a pipeline.
public struct RedisBounds: Hashable, Sendable {
  /// Commands in one pipeline.
  public var commands = 16_384
  /// Bytes of all commands of one exchange, as arguments count them.
  public var requestBytes = 16 << 20
  /// Bytes of all replies of one exchange.
  public var replyBytes = 16 << 20
  /// Elements of all arrays in all replies of one exchange.
  public var replyElements = 262_144

  /// The bounds that are in force unless others are set.
  public static let standard = RedisBounds()
}
