import ArgumentParser
import BudgetModel
import BudgetServer
import Foundation
import LiteLLMConfig
import Logging
import RedisStore

/// The Redis that budgets are shared through: the command line's, else the configuration's.
struct RedisArguments: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The Redis that nodes agree through; without this option, the config's as LiteLLM finds it.",
      valueName: "redis://[user@]host:port[/db] | unix:path | off"))
  var redis: String?

  @Option(
    help: ArgumentHelp(
      "A file with Redis' password, for its owner's eyes only; or BUDGETD_REDIS_PASSWORD.",
      valueName: "file"))
  var redisPasswordFile: String?

  /// The source of the Redis; throws if an option could not be meant.
  func choice() throws(ServerError) -> RedisChoice {
    let password = try password()
    guard let redis else { return .configured(password: password) }
    do throws(RedisArgumentError) {
      return try RedisChoice(argument: redis, password: password)
    } catch {
      // The value is not repeated: it may hold a password.
      throw .usage("--redis: \(error.message)")
    }
  }

  private func password() throws(ServerError) -> RedisSecret? {
    if let path = redisPasswordFile { return try PasswordFile.password(path: path) }
    let variable = ProcessInfo.processInfo.environment["BUDGETD_REDIS_PASSWORD"]
    return variable.flatMap { $0.isEmpty ? nil : RedisSecret($0) }
  }
}
