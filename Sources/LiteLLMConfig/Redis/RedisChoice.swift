/// The source of the Redis to be used.
public enum RedisChoice: Sendable {
  /// From the configuration and the environment, as LiteLLM does; passwords given here are used in
  /// place of theirs.
  case configured(password: RedisSecret?, sentinelPassword: RedisSecret? = nil)
  /// None, whatever the configuration says.
  case off
  /// This one. The configuration's namespace still holds: it is in every key.
  case given(RedisSource)

  /// Reads `--redis`: `redis://[user@]host:port[/db]`, `unix:path`,
  /// `sentinel://[user@]host:port,host:port/SERVICE[/db]`, `cluster://[user@]host:port,host:port` or
  /// `off`. The error says what is wrong and never repeats a password.
  public init(
    argument: String, password: RedisSecret?, sentinelPassword: RedisSecret? = nil
  ) throws(RedisArgumentError) {
    if argument == "off" {
      self = .off
      return
    }
    if let servers = try RedisServersURL(argument) {
      if servers.isEncrypted { throw RedisArgumentError.encrypted }
      var source = RedisSource(
        endpoint: servers.endpoint, username: servers.username, password: password,
        database: servers.database, origin: "--redis")
      if case .sentinel = servers.endpoint { source.sentinelPassword = sentinelPassword }
      self = .given(source)
      return
    }
    if argument.hasPrefix("unix:"), !argument.hasPrefix("unix://") {
      let path = String(argument.dropFirst("unix:".count))
      guard path.hasPrefix("/") else {
        throw RedisArgumentError(
          message: "the path after unix: has to begin with a slash, such as unix:/run/redis.sock")
      }
      self = .given(
        RedisSource(endpoint: .unix(path: path), password: password, origin: "--redis"))
      return
    }
    let shape =
      "give redis://[user@]host:port[/db], sentinel://host:port,host:port/SERVICE, "
      + "cluster://host:port,host:port, unix:/path or off"
    let url: RedisURL
    do throws(RedisURL.Refusal) {
      url = try RedisURL(argument)
    } catch {
      switch error {
      case .encrypted: throw RedisArgumentError.encrypted
      case .scheme: throw RedisArgumentError(message: shape)
      case .malformed(let reason): throw RedisArgumentError(message: "\(reason): \(shape)")
      }
    }
    guard url.password == nil else {
      throw RedisArgumentError(message: RedisArgumentError.password)
    }
    self = .given(
      RedisSource(
        endpoint: url.endpoint, username: url.username, password: password,
        database: url.database ?? 0, origin: "--redis"))
  }
}

/// Why a `--redis` cannot be meant.
public struct RedisArgumentError: Error, Hashable, Sendable, CustomStringConvertible {
  /// The fault, and the way out.
  public let message: String

  static let encrypted = RedisArgumentError(
    message: "TLS is not spoken here: for rediss, run a tunnel such as stunnel on loopback and "
      + "give redis://127.0.0.1:port")

  static let password =
    "it holds a password, and arguments are public: give it in BUDGETD_REDIS_PASSWORD or "
    + "--redis-password-file"

  /// The message.
  public var description: String { message }
}
