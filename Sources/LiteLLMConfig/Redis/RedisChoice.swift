/// The source of the Redis to be used.
public enum RedisChoice: Sendable {
  /// From the configuration and the environment, as LiteLLM does; what is given here is used in place
  /// of theirs.
  case configured(
    password: RedisSecret?, sentinelPassword: RedisSecret? = nil,
    tls: RedisEncryptionOptions = .init())
  /// None, whatever the configuration says.
  case off
  /// This one. The configuration's namespace still holds: it is in every key.
  case given(RedisSource)

  /// Reads `--redis`: `redis://[user@]host:port[/db]`, `unix:path`,
  /// `sentinel://[user@]host:port,host:port/SERVICE[/db]`, `cluster://[user@]host:port,host:port`, each
  /// but the path with an s behind the scheme where it is encrypted, or `off`. The error says what is
  /// wrong and never repeats a password.
  public init(
    argument: String, password: RedisSecret?, sentinelPassword: RedisSecret? = nil,
    tls: RedisEncryptionOptions = .init()
  ) throws(RedisArgumentError) {
    self = try Self.read(argument, password, sentinelPassword)
    guard case .given(var source) = self else {
      guard tls.names.isEmpty else { throw Self.needless(tls) }
      return
    }
    if source.tls == nil, !tls.names.isEmpty { throw Self.needless(tls) }
    source.tls = source.tls.map { tls.applied(to: $0) }
    self = .given(source)
  }

  private static func needless(_ tls: RedisEncryptionOptions) -> RedisArgumentError {
    RedisArgumentError(
      message: "it is not encrypted, and \(tls.names.joined(separator: ", ")) is given: write "
        + "rediss://, sentinels:// or clusters://")
  }

  private static func read(
    _ argument: String, _ password: RedisSecret?, _ sentinelPassword: RedisSecret?
  ) throws(RedisArgumentError) -> RedisChoice {
    if argument == "off" { return .off }
    if let servers = try RedisServersURL(argument) {
      var source = RedisSource(
        endpoint: servers.endpoint, username: servers.username, password: password,
        database: servers.database, origin: "--redis")
      if case .sentinel = servers.endpoint { source.sentinelPassword = sentinelPassword }
      if servers.isEncrypted { source.tls = RedisEncryption() }
      return .given(source)
    }
    if argument.hasPrefix("unix:"), !argument.hasPrefix("unix://") {
      let path = String(argument.dropFirst("unix:".count))
      guard path.hasPrefix("/") else {
        throw RedisArgumentError(
          message: "the path after unix: has to begin with a slash, such as unix:/run/redis.sock")
      }
      return .given(
        RedisSource(endpoint: .unix(path: path), password: password, origin: "--redis"))
    }
    let shape =
      "give redis://[user@]host:port[/db] (rediss:// where it is encrypted), "
      + "sentinel://host:port,host:port/SERVICE, cluster://host:port,host:port, unix:/path or off"
    let url: RedisURL
    do throws(RedisURL.Refusal) {
      url = try RedisURL(argument)
    } catch {
      switch error {
      case .scheme: throw RedisArgumentError(message: shape)
      case .malformed(let reason): throw RedisArgumentError(message: "\(reason): \(shape)")
      }
    }
    guard url.password == nil else {
      throw RedisArgumentError(message: RedisArgumentError.password)
    }
    guard url.encryption.isEmpty else {
      throw RedisArgumentError(
        message: "it has options of encryption: give --redis-ca, --redis-cert, --redis-key, "
          + "--redis-server-name and --redis-verify")
    }
    var source = url.source(username: nil, origin: "--redis")
    source.password = password
    if url.isEncrypted { source.tls = RedisEncryption() }
    return .given(source)
  }
}

/// Why a `--redis` cannot be meant.
public struct RedisArgumentError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The fault, and the way out.
  public let message: String

  static let password =
    "it holds a password, and arguments are public: give it in BUDGETD_REDIS_PASSWORD or "
    + "--redis-password-file"

  /// The message.
  public var description: String { message }
}
