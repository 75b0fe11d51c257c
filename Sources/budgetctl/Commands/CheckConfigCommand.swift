import ArgumentParser
import BudgetModel
import Documents
import Foundation
import JSONWriting
import LiteLLMConfig

/// Shows a config, or all of its faults.
struct CheckConfigCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check-config", abstract: "Reads a LiteLLM config.yaml as budgetd would.",
    discussion: """
      The file may be a pipe, and - is standard input; what it includes is read too. Shows every \
      deployment with its provider, every budget, and warnings. A config that budgetd \
      would refuse exits 78 and shows a line a problem: file:line: key: what is wrong.
      """)

  @Argument(help: ArgumentHelp("The config.", valueName: "file"), completion: .file())
  var file: String

  @Option(
    help: ArgumentHelp("A YAML mapping of model to provider.", valueName: "file"),
    completion: .file())
  var providerMap: String?

  @Option(
    help: ArgumentHelp(
      "The Redis that budgetd is started with; without this option, the config's.",
      valueName: "redis://[user@]host:port[/db] | unix:path | off"))
  var redis: String?

  @Option(help: "Write table or json.")
  var output = OutputFormat.table

  func run() throws {
    let choice = try redisChoice()
    do throws(DocumentError) {
      let report = ConfigReport(
        try CheckedConfig(path: file, providerMapPath: providerMap, redis: choice), path: file)
      switch output {
      case .table: Terminal.write(lines: report.lines(columns: Terminal.current().columns))
      case .json: Terminal.write(lines: [report.json.text])
      }
    } catch {
      switch output {
      case .table:
        // Bare, as compilers write them, so that editors find their way.
        Terminal.write(lines: error.problems.map { $0.description.printable })
      case .json: Terminal.write(lines: [ConfigReport.json(refused: error).text])
      }
      let count = error.problems.count == 1 ? "1 problem" : "\(error.problems.count) problems"
      throw Failure("\(file) is refused: \(count)", .badConfig)
    }
  }

  private func redisChoice() throws -> RedisChoice {
    guard let redis else { return .configured(password: nil) }
    do throws(RedisArgumentError) {
      return try RedisChoice(argument: redis, password: nil)
    } catch {
      // The value is not repeated: it may hold a password.
      throw ValidationError("--redis: \(error.message)")
    }
  }
}

/// A config as the commands read it: the file, and the provider map beside it.
struct CheckedConfig {
  var config: LiteLLMConfig
  /// The loader that read it, which knows the provider map.
  var loader: LiteLLMConfigLoader

  /// Reads both files. Throws all that is wrong with the first one that is refused.
  init(
    path: String, providerMapPath: String?, redis: RedisChoice = .off
  ) throws(DocumentError) {
    loader = try Self.loader(providerMapPath: providerMapPath, redis: redis)
    let bytes = try ConfigFile.bytesOnce(path: path)
    config = try loader.load(
      yaml: bytes, file: path == "-" ? "standard input" : path,
      includes: ConfigFile.includes(of: path))
  }

  /// A loader of the process's environment and the provider map, where there is one.
  static func loader(
    providerMapPath: String?, redis: RedisChoice = .off
  ) throws(DocumentError) -> LiteLLMConfigLoader {
    var map = ProviderMap.empty
    if let path = providerMapPath {
      map = try ProviderMap(yaml: ConfigFile.bytesOnce(path: path), file: path)
    }
    return LiteLLMConfigLoader(
      environment: ProcessInfo.processInfo.environment, providerMap: map, redis: redis)
  }
}
