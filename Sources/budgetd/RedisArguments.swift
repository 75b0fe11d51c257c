public import ArgumentParser
import BudgetModel
import BudgetServer
import Foundation
public import LiteLLMConfig
import Logging
import RedisStore

/// The Redis that budgets are shared through: the command line's, else the configuration's.
struct RedisArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The Redis that nodes agree through; without this option, the config's as LiteLLM finds it.",
      discussion: "A master that sentinels name: sentinel://host:port,host:port/SERVICE[/db]; a "
        + "cluster: cluster://host:port,host:port.",
      valueName: "redis://[user@]host:port[/db] | unix:path | off"))
  var redis: String?

  @Option(
    help: ArgumentHelp(
      "A file with Redis' password, for its owner's eyes only; or BUDGETD_REDIS_PASSWORD.",
      valueName: "file"))
  var redisPasswordFile: String?

  @Option(
    help: ArgumentHelp(
      "A file with the sentinels' password; or BUDGETD_REDIS_SENTINEL_PASSWORD.",
      valueName: "file"))
  var redisSentinelPasswordFile: String?

  @Option(
    help: ArgumentHelp(
      "The authorities of Redis' certificates; without it, the system's.", valueName: "file"))
  var redisCa: String?

  @Option(help: ArgumentHelp("This node's certificate for Redis.", valueName: "file"))
  var redisCert: String?

  @Option(
    help: ArgumentHelp(
      "The certificate's key; without it, the certificate's file.", valueName: "file"))
  var redisKey: String?

  @Option(
    help: ArgumentHelp(
      "The name in Redis' certificates; without it, the host's.", valueName: "name"))
  var redisServerName: String?

  @Option(
    help: ArgumentHelp(
      "How much of Redis' certificates is verified: full, chain (any name) or none.",
      valueName: "full|chain|none"))
  var redisVerify: RedisEncryption.Verification?

  func validate() throws {
    if let redisServerName, redisServerName.isEmpty {
      throw ValidationError(
        "--redis-server-name '': give the name in Redis' certificates, or leave the option out "
          + "where that is the host")
    }
  }

  /// The source of the Redis; throws if an option could not be meant.
  func choice() throws(ServerError) -> RedisChoice {
    let password = try password(redisPasswordFile, "redis-password-file", "BUDGETD_REDIS_PASSWORD")
    let sentinels = try self.password(
      redisSentinelPasswordFile, "redis-sentinel-password-file", "BUDGETD_REDIS_SENTINEL_PASSWORD")
    var tls = RedisEncryptionOptions()
    (tls.authorities, tls.certificate, tls.key) = (redisCa, redisCert, redisKey)
    (tls.serverName, tls.verification) = (redisServerName, redisVerify)
    guard redisKey == nil || redisCert != nil else {
      throw .usage("--redis-key: a key without --redis-cert is of no use")
    }
    guard let redis else {
      return .configured(password: password, sentinelPassword: sentinels, tls: tls)
    }
    do throws(RedisArgumentError) {
      return try RedisChoice(
        argument: redis, password: password, sentinelPassword: sentinels, tls: tls)
    } catch {
      // The value is not repeated: it may hold a password.
      throw .usage("--redis: \(error.message)")
    }
  }

  private func password(
    _ path: String?, _ option: String, _ variable: String
  ) throws(ServerError) -> RedisSecret? {
    if let path { return try PasswordFile.password(path: path, option: option) }
    let text = ProcessInfo.processInfo.environment[variable]
    return text.flatMap { $0.isEmpty ? nil : RedisSecret($0) }
  }
}

extension RedisEncryption.Verification: ExpressibleByArgument {}
