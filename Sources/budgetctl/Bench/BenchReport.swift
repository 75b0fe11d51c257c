import JSONWriting
import LoadTest

/// The results of a load test, as a table for people and as JSON.
struct BenchReport {
  static let percentiles: [(name: String, part: Double)] = [
    ("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999),
  ]

  private let report: LoadReport
  private let plan: LoadPlan

  init(_ report: LoadReport, plan: LoadPlan) {
    self.report = report
    self.plan = plan
  }

  /// Answers that were errors.
  var errors: UInt64 { report.answers.reduce(0) { $0 + $1.errors } }

  /// The lines to show; `columns` as a terminal has them.
  func lines(columns: Int?) -> [String] {
    let header =
      ["METHOD", "OPS/S"] + Self.percentiles.map { $0.name.uppercased() } + ["MAX", "ANSWERS"]
    let rows = report.answers.map { answers in
      [answers.method, "\(Int(answers.rate.rounded()))"]
        + Self.percentiles.map { Self.text(answers.latencies.percentile($0.part)) }
        + [Self.text(answers.latencies.longest), Self.codes(answers)]
    }
    let what =
      "\(plan.connections) connections, \(plan.depth) requests under way on each, "
      + "\(Self.seconds(report.duration)) s after \(Self.seconds(plan.warmUp)) s of warm-up"
      + (plan.hasFreshTags ? ", a tag never seen in each" : "")
      + (plan.expectsDenials ? ", every candidate over budget" : "")
    return [what] + PlainTable.lines(header, rows, columns: columns)
  }

  var json: JSONValue {
    .object([
      ("work", .string(plan.work.rawValue)),
      ("fresh_tags", .bool(plan.hasFreshTags)),
      ("denied", .bool(plan.expectsDenials)),
      ("connections", .integer(plan.connections)),
      ("depth", .integer(plan.depth)),
      ("seconds", .number(report.duration / .seconds(1))),
      ("methods", .array(report.answers.map(json))),
    ])
  }

  private func json(_ answers: LoadReport.Answers) -> JSONValue {
    let latencies =
      Self.percentiles.map { (Self.key($0.name), answers.latencies.percentile($0.part)) }
      + [("max_us", answers.latencies.longest)]
    let codes = answers.codes.map { ($0.name, JSONValue.integer(Int(clamping: $0.count))) }
    return .object([
      ("method", .string(answers.method)),
      ("ops_per_s", .number(answers.rate)),
      (
        "latency",
        .object(latencies.map { ($0.0, JSONValue.number($0.1 / .microseconds(1))) })
      ),
      ("answers", .object(codes)),
      ("errors", .integer(Int(clamping: answers.errors))),
    ])
  }

  static func key(_ name: String) -> String {
    String(name.filter { $0 != "." }) + "_us"
  }

  private static func codes(_ answers: LoadReport.Answers) -> String {
    answers.codes.map { "\($0.count) \($0.name)" }.joined(separator: ", ")
  }

  /// Three digits and a unit.
  static func text(_ duration: Duration) -> String {
    let microseconds = duration / .microseconds(1)
    if microseconds < 10 { return "\(rounded(microseconds, 2)) us" }
    if microseconds < 100 { return "\(rounded(microseconds, 1)) us" }
    if microseconds < 10_000 { return "\(Int(microseconds.rounded())) us" }
    return "\(rounded(microseconds / 1_000, 1)) ms"
  }

  static func seconds(_ duration: Duration) -> String {
    let seconds = duration / .seconds(1)
    return seconds == seconds.rounded() ? "\(Int(seconds))" : "\(rounded(seconds, 2))"
  }

  private static func rounded(_ value: Double, _ places: Int) -> Double {
    let scale = places == 2 ? 100.0 : 10.0
    return (value * scale).rounded() / scale
  }
}
