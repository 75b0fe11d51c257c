import ArgumentParser
import BudgetSimulation
import LiteLLMConfig

/// What budgets would have done with recorded traffic.
struct SimulateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate",
    abstract: "Replays recorded traffic in virtual time, without a server.",
    discussion: """
      A trace is JSON lines: {"name", "start", "config", "steps": [...]}, steps record, filter and \
      budgets with "at" in seconds. Prints a JSON line per scenario. With --check it compares with \
      what each step expects, says how it differs, and exits 1 if anything does.
      """)

  @Argument(help: ArgumentHelp("The trace.", valueName: "trace.jsonl"), completion: .file())
  var trace: String

  @Option(
    help: ArgumentHelp("Replays with this config.yaml in place of the trace's.", valueName: "file"),
    completion: .file())
  var config: String?

  @Flag(help: "Compare with what the trace expects.")
  var check = false

  func run() throws {
    let replay: TraceReplay
    let text: String
    do throws(ConfigError) {
      if let config {
        let file = try CheckedConfig(path: config, providerMapPath: nil)
        replay = TraceReplay(loader: file.loader, config: file.config)
      } else {
        replay = TraceReplay(loader: try CheckedConfig.loader(providerMapPath: nil))
      }
      text = String(decoding: try ConfigFile.bytes(path: trace), as: UTF8.self)
    } catch {
      throw Failure(error.description, .badConfig)
    }
    var differences: [String] = []
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated() where !line.allSatisfy(\.isWhitespace) {
      do throws(TraceError) {
        let outcome = try replay.replay(String(line), number: index + 1)
        Terminal.write(lines: [outcome.line])
        differences += outcome.differences
      } catch {
        throw Failure("\(trace): \(error)", .badConfig)
      }
    }
    guard check, !differences.isEmpty else { return }
    let count = differences.count == 1 ? "1 difference" : "\(differences.count) differences"
    throw Failure((differences + [count]).joined(separator: "\n"), .refused)
  }
}
