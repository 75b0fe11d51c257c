import ArgumentParser
import BudgetClient
import BudgetModel
import Documents
import Foundation
import JSONWriting
import LiteLLMConfig

/// Shows a config, or all of its faults.
struct CheckConfigCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check-config", abstract: "Reads a LiteLLM config.yaml as budgetd would.",
    discussion: """
      The file may be a pipe, and - is standard input; what it includes is read too. Shows every \
      deployment with its provider, every budget, and warnings. A config that budgetd \
      would refuse exits 78 and shows a line a problem: file:line: key: what is wrong. Files of \
      certificates that the config names are looked at from here; those of budgetd's own options \
      (--tls-cert, --tls-key, --tls-client-ca, --redis-ca, --access-file) are not known here: budgetd says \
      at its start what is wrong with them.

      --against asks a running budgetd, and shows what a reload of the file would change there: added, \
      dropped and changed limits, with what is spent in each, and which of the changes that operators \
      made would go on over it. It needs the role read.
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

  @Option(
    help: ArgumentHelp(
      "Say what a reload would change on this server.", valueName: "host:port | unix:path"))
  var against: String?

  @Option(help: "Write table or json.")
  var output = OutputFormat.table

  @OptionGroup var server: ServerOptions
  @ParentCommand var root: Budgetctl

  func run() async throws {
    let choice = try redisChoice()
    let config: CheckedConfig
    do throws(DocumentError) {
      config = try CheckedConfig(path: file, providerMapPath: providerMap, redis: choice)
    } catch {
      throw refused(error)
    }
    let report = ConfigReport(config, path: file)
    let comparison = try await comparison(with: config.config.budgets)
    let columns = Terminal.current().columns
    switch output {
    case .table:
      Terminal.write(lines: report.lines(columns: columns))
      if let comparison { Terminal.write(lines: [""] + comparison.lines(columns: columns)) }
    case .json: Terminal.write(lines: [report.json(against: comparison?.json).text])
    }
  }

  /// Asks the server for its budgets and its changes in force; nil: no server is named.
  private func comparison(with budgets: BudgetConfiguration) async throws -> ConfigComparison? {
    guard let against else { return nil }
    var options = server
    options.server = against
    let client = try options.client(root: root.server)
    var request = GetProviderBudgetsRequest()
    (request.includesDeployments, request.includesTags) = (true, true)
    (request.includesModels, request.includesPools) = (true, true)
    do throws(BudgetClientError) {
      return ConfigComparison(
        budgets, with: try await client.allBudgets(request),
        try await client.listChanges().inForce, on: client.server)
    } catch {
      throw Failure(error, server: client.server)
    }
  }

  /// Says all that is wrong; gives what ends the command.
  private func refused(_ error: DocumentError) -> Failure {
    switch output {
    case .table:
      // Bare, as compilers write them, so that editors find their way.
      Terminal.write(lines: error.problems.map { $0.description.printable })
    case .json: Terminal.write(lines: [ConfigReport.json(refused: error).text])
    }
    let count = error.problems.count == 1 ? "1 problem" : "\(error.problems.count) problems"
    return Failure("\(file) is refused: \(count)", .badConfig)
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
