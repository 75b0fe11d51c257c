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
    let trace: [UInt8]
    do throws(ConfigError) {
      if let config {
        let file = try CheckedConfig(path: config, providerMapPath: nil)
        replay = TraceReplay(loader: file.loader, config: file.config)
      } else {
        replay = TraceReplay(loader: try CheckedConfig.loader(providerMapPath: nil))
      }
      trace = try ConfigFile.bytes(path: self.trace)
    } catch {
      throw Failure(error.description, .badConfig)
    }
    var differences: [String] = []
    // By bytes: a text's lines may end in more ways than a trace's, and hold them within.
    let lines = trace.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    for (index, bytes) in lines.enumerated() {
      let line = String(decoding: bytes, as: UTF8.self)
      if line.allSatisfy(\.isWhitespace) { continue }
      do throws(TraceError) {
        let outcome = try replay.replay(line, number: index + 1)
        Terminal.write(lines: [outcome.line])
        differences += outcome.differences
      } catch {
        throw Failure("\(self.trace): \(error)", .badConfig)
      }
    }
    guard check, !differences.isEmpty else { return }
    let count = differences.count == 1 ? "1 difference" : "\(differences.count) differences"
    throw Failure((differences + [count]).joined(separator: "\n"), .refused)
  }
}
