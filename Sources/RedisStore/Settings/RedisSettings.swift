/// How to reach one Redis.
public struct RedisSettings: Hashable, Sendable {
  /// Where it is.
  public var address: RedisAddress
  /// The ACL user; nil: the default user.
  public var username: String?
  /// The password; nil: none is sent, unless there is a user.
  public var password: RedisPassword?
  /// The database, from 0.
  public var database = 0
  /// What stands before every key, without the colon; nil: nothing.
  public var namespace: String?
  /// How long a lookup of the host's name, and after it a connect, may take.
  public var connectTimeout = Duration.milliseconds(500)
  /// How long a command may take from its first byte to the last one of its reply.
  public var commandTimeout = Duration.seconds(1)
  /// The name that `CLIENT LIST` shows; 1 to 64 printable characters without blanks.
  public var clientName = "budgetd"
  /// What one exchange may hold.
  public var bounds = RedisBounds.standard

  /// The standard settings for one address.
  public init(address: RedisAddress) { self.address = address }
}
