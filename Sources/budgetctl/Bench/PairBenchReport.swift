import JSONWriting
import LoadTest

/// The results of a load test with pairs, as a table for people and as JSON.
struct PairBenchReport {
  private let report: PairReport
  private let plan: LoadPlan

  init(_ report: PairReport, plan: LoadPlan) {
    self.report = report
    self.plan = plan
  }

  /// Pairs of which an answer was an error.
  var errors: UInt64 { report.pairs.reduce(0) { $0 + $1.errors } }

  /// How many pairs were answered.
  var answered: UInt64 { report.pairs.reduce(0) { $0 + $1.latencies.count } }

  func lines(columns: Int?) -> [String] {
    let header =
      ["PAIR", "PAIRS/S"] + BenchReport.percentiles.map { $0.name.uppercased() }
      + ["MAX", "ERRORS"]
    let rows = report.pairs.map { pairs in
      [pairs.name, "\(Int(pairs.rate.rounded()))"]
        + BenchReport.percentiles.map { BenchReport.text(pairs.latencies.percentile($0.part)) }
        + [BenchReport.text(pairs.latencies.longest), "\(pairs.errors)"]
    }
    let what =
      "\(plan.connections) connections, \(plan.depth) pairs under way on each, "
      + "\(BenchReport.seconds(report.duration)) s of each kind in turns, after "
      + "\(BenchReport.seconds(plan.warmUp)) s of warm-up"
    var lines = [what] + PlainTable.lines(header, rows, columns: columns)
    if let ratio = report.ratio {
      let hundredths = (ratio * 100).rounded() / 100
      lines.append("pairs that reserve come at \(hundredths) of the rate of plain ones")
    }
    return lines
  }

  var json: JSONValue {
    .object([
      ("work", .string("pairs")),
      ("connections", .integer(plan.connections)),
      ("depth", .integer(plan.depth)),
      ("seconds", .number(report.duration / .seconds(1))),
      (
        "pairs",
        .array(
          report.pairs.map { pairs in
            .object([
              ("pair", .string(pairs.name)), ("pairs_per_s", .number(pairs.rate)),
              (
                "latency",
                .object(
                  BenchReport.percentiles.map {
                    (
                      BenchReport.key($0.name),
                      JSONValue.number(pairs.latencies.percentile($0.part) / .microseconds(1))
                    )
                  })
              ),
              ("errors", .integer(Int(clamping: pairs.errors))),
            ])
          })
      ),
      ("ratio", .optional(report.ratio)),
    ])
  }
}
