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
      A trace is JSON lines: {"name", "start", "config", "steps": [...]}, steps record, filter, \
      budgets, and operators' changes (set, raise, freeze, shadow, enforce, clear, reset), with "at" in \
      seconds; it may be a pipe, and - is standard input. Prints a JSON line \
      per scenario. With --check it compares with what each step expects, says how it differs, ends \
      with how many scenarios agree, and exits 1 if one does not. deploy/trace-format.md describes \
      traces; budgetd --trace writes them.

      --overspend takes the trace's records as requests, each decided --latency before its cost is known, \
      and says how far budgets are passed: decided by what is spent, on --nodes that agree each \
      --interval, and with a reservation for each. Lower the limits with --config where the trace \
      does not reach them. Operators' changes hold from their steps on, on all nodes at once, and the limit in \
      force is the one that counts; what a record's reserve step held is what is reserved. Reservations \
      that no record settles are left out, and budgets that names have by patterns are not looked at.
      """)

  @Argument(help: ArgumentHelp("The trace.", valueName: "trace.jsonl"), completion: .file())
  var trace: String

  @Option(
    help: ArgumentHelp("Replays with this config.yaml in place of the trace's.", valueName: "file"),
    completion: .file())
  var config: String?

  @Flag(help: "Compare with what the trace expects.")
  var check = false

  @Flag(help: "Say what its requests would have overspent, without and with reservations.")
  var overspend = false

  @Option(help: ArgumentHelp("With --overspend: how many nodes there are.", valueName: "count"))
  var nodes = 1

  @Option(
    help: ArgumentHelp(
      "With --overspend: from the decision until the cost is known.", valueName: "seconds"))
  var latency = 2.0

  @Option(
    help: ArgumentHelp("With --overspend: how often nodes agree.", valueName: "seconds"))
  var interval = 1.0

  @Option(help: "With --overspend: write table or json.")
  var output = OutputFormat.table

  func validate() throws {
    if overspend, check { throw ValidationError("--overspend checks nothing: leave --check out") }
    guard (1...1_000).contains(nodes) else {
      throw ValidationError("--nodes \(nodes): give 1 to 1000")
    }
    for (name, seconds) in [("latency", latency), ("interval", interval)]
    where !(0...3_600).contains(seconds) {
      throw ValidationError("--\(name) \(seconds): give 0 to 3600 seconds")
    }
  }

  private var plan: OverspendPlan? {
    guard overspend else { return nil }
    var plan = OverspendPlan()
    plan.nodes = nodes
    plan.latencyMilliseconds = Int64((latency * 1_000).rounded())
    plan.intervalMilliseconds = Int64((interval * 1_000).rounded())
    return plan
  }

  func run() throws {
    var replay: TraceReplay
    let trace: [UInt8]
    do throws(DocumentError) {
      if let config {
        let file = try CheckedConfig(path: config, providerMapPath: nil)
        replay = TraceReplay(loader: file.loader, config: file.config, overspend: plan)
      } else {
        replay = TraceReplay(
          loader: try CheckedConfig.loader(providerMapPath: nil), overspend: plan)
      }
      trace = try ConfigFile.bytesOnce(path: self.trace, atMost: ConfigFile.maximumTraceBytes)
    } catch {
      throw Failure(error.description, .badConfig)
    }
    var tally = Tally(output: output)
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
  let output: OutputFormat
  private var differences: [String] = []
  private var played = 0
  private var agreed = 0
  private var skipped = 0

  init(output: OutputFormat) { self.output = output }

  mutating func add(_ outcome: TraceReplay.Outcome) {
    if let report = outcome.overspend {
      switch output {
      case .table: Terminal.write(lines: report.lines(columns: Terminal.current().columns))
      case .json: Terminal.write(lines: [report.json.text])
      }
      return
    }
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
