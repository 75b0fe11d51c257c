import BudgetModel
import BudgetSimulation
import JSONWriting

extension OverspendReport {
  private var modes: [(name: String, mode: Mode)] {
    [("without reservations", without), ("with reservations", with)]
  }

  /// The report for people.
  func lines(columns: Int?) -> [String] {
    let count = requests == 1 ? "1 request" : "\(requests) requests"
    return ["\(name.printable): \(count), \(HumanText.money(cost))"]
      + PlainTable.lines(
        ["", "ADMITTED", "DENIED", "OVERSPENT", "FURTHEST BEYOND ITS LIMIT"],
        modes.map { name, mode in
          [
            name, "\(mode.admitted)", "\(mode.denied)", HumanText.money(mode.overspent),
            mode.passed.first.map(Self.sentence) ?? "-",
          ]
        }, columns: columns)
  }

  private static func sentence(_ passed: Passed) -> String {
    let ratio = passed.ratio.map { " (\(HumanText.percent(fill: $0)))" } ?? ""
    return "\(passed.key.scope) \(passed.key.name.printable) per \(passed.key.windowText): "
      + "\(HumanText.money(passed.overspent)) over \(HumanText.money(passed.limit))\(ratio)"
  }

  private static let listed = 20

  /// The report for machines.
  var json: JSONValue {
    .object(
      [
        ("name", .string(name)), ("requests", .integer(requests)),
        ("cost_usd", .number(cost.dollars)),
      ]
        + zip(["without_reservations", "with_reservations"], modes).map { key, mode in
          (
            key,
            .object([
              ("admitted", .integer(mode.mode.admitted)), ("denied", .integer(mode.mode.denied)),
              ("overspent_usd", .number(mode.mode.overspent.dollars)),
              (
                "passed",
                .array(
                  mode.mode.passed.prefix(Self.listed).map { passed in
                    .object([
                      ("scope", .string(passed.key.scope.description)),
                      ("name", .string(passed.key.name)),
                      ("time_period", .string(passed.key.windowText)),
                      ("limit_usd", .number(passed.limit.dollars)),
                      ("overspent_usd", .number(passed.overspent.dollars)),
                    ])
                  })
              ),
            ])
          )
        })
  }
}
