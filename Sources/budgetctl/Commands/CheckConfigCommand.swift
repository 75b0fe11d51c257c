import ArgumentParser
import LiteLLMConfig

/// What a config says, or everything that is wrong with it.
struct CheckConfigCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check-config", abstract: "Reads a LiteLLM config.yaml as budgetd would.",
    discussion: """
      Shows every deployment with its provider, every budget, and warnings. A config that budgetd \
      would refuse exits 78, with a line a problem: file:line: key: what is wrong.
      """)

  @Argument(help: ArgumentHelp("The config.", valueName: "file"), completion: .file())
  var file: String

  @Option(
    help: ArgumentHelp("A YAML mapping of model to provider.", valueName: "file"),
    completion: .file())
  var providerMap: String?

  @Option(help: "Write table or json.")
  var output = OutputFormat.table

  func run() throws {
    do throws(ConfigError) {
      let report = ConfigReport(
        try CheckedConfig(path: file, providerMapPath: providerMap), path: file)
      switch output {
      case .table: Terminal.write(lines: report.lines)
      case .json: Terminal.write(lines: [report.json.text])
      }
    } catch {
      if output == .json { Terminal.write(lines: [ConfigReport.json(refused: error).text]) }
      let lines = error.problems.map { $0.description.escapedForTerminal }
      let count = lines.count == 1 ? "1 problem" : "\(lines.count) problems"
      throw Failure((lines + ["\(file) is refused: \(count)"]).joined(separator: "\n"), .badConfig)
    }
  }
}
