import ArgumentParser
import BudgetSimulation
import Documents
import LiteLLMConfig

/// Replays recorded traffic against budgets.
struct SimulateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate",
    abstract: "Replays recorded traffic in virtual time, without a server.",
    discussion: """
      A trace is JSON lines: {"name", "start", "config", "steps": [...]}, steps record, filter and \
      budgets with "at" in seconds; it may be a pipe, and - is standard input. Prints a JSON line \
      per scenario. With --check it compares with what each step expects, says how it differs, ends \
      with how many scenarios agree, and exits 1 if one does not. deploy/trace-format.md describes \
      traces; budgetd --trace writes them.
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
    var replay: TraceReplay
    let trace: [UInt8]
    do throws(DocumentError) {
      if let config {
        let file = try CheckedConfig(path: config, providerMapPath: nil)
        replay = TraceReplay(loader: file.loader, config: file.config)
      } else {
        replay = TraceReplay(loader: try CheckedConfig.loader(providerMapPath: nil))
      }
      trace = try ConfigFile.bytesOnce(path: self.trace, atMost: ConfigFile.maximumTraceBytes)
    } catch {
      throw Failure(error.description, .badConfig)
    }
    var tally = Tally()
    // By bytes: a text's lines may end in more ways than a trace's, and hold them within.
    let lines = trace.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    for (index, bytes) in lines.enumerated() {
      let line = String(decoding: bytes, as: UTF8.self)
      if line.allSatisfy(\.isWhitespace) { continue }
      do throws(TraceError) {
        for outcome in try replay.add(line, number: index + 1) { tally.add(outcome) }
      } catch {
        // A server that was killed leaves half a line.
        guard replay.isInStream, index == lines.count - 1 else {
          throw Failure("\(self.trace):\(error.line): \(error.message)", .badConfig)
        }
        Terminal.complain("\(self.trace):\(error.line): the last line is cut off, and left out")
      }
    }
    if let outcome = replay.finish() { tally.add(outcome) }
    if check { try tally.finish(self.trace) }
  }
}

/// How scenarios compare with what the trace expects.
private struct Tally {
  private var differences: [String] = []
  private var played = 0
  private var agreed = 0
  private var skipped = 0

  mutating func add(_ outcome: TraceReplay.Outcome) {
    Terminal.write(lines: [outcome.line])
    if outcome.lostSteps > 0 {
      Terminal.complain("the trace is missing \(outcome.lostSteps) steps: what follows may differ")
    }
    if outcome.isSkipped {
      skipped += 1
      return
    }
    played += 1
    agreed += outcome.differences.isEmpty ? 1 : 0
    differences += outcome.differences
  }

  /// Says how many agree; throws where one does not, or where the trace has none.
  func finish(_ trace: String) throws(Failure) {
    guard played + skipped > 0 else {
      throw Failure(
        "\(trace): the trace holds no scenario, so there is nothing to compare: see "
          + "deploy/trace-format.md", .badConfig)
    }
    Terminal.write(lines: [
      "\(agreed) of \(played) agree" + (skipped > 0 ? ", \(skipped) skipped" : "")
    ])
    guard !differences.isEmpty else { return }
    let count = differences.count == 1 ? "1 difference" : "\(differences.count) differences"
    throw Failure((differences + [count]).joined(separator: "\n"), .refused)
  }
}
