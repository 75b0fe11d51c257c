import ArgumentParser
import BudgetClient
import BudgetModel
import Foundation
import JSONWriting

/// Shows the state of the budgets.
struct BudgetsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "budgets", abstract: "Shows where the budgets stand.",
    discussion: """
      Amounts are rounded for reading; --output json has them as the server sends them: an array of \
      objects with scope, name, limit_usd (null = unlimited), time_period, spend_usd, \
      remaining_usd, reserved_usd, exhausted and resets_at (ISO 8601, null = no window is open), and \
      forecast_15m and forecast_24h with usd_per_second, over_seconds and exhausts_at (null = it lasts \
      its window).

      RUNS OUT IN: when the limit is reached at the rate of the last 15 minutes, or of the last 24 \
      hours, the fleet's; nothing where that is after the reset, or too little is known to tell (less \
      than 5 minutes and 3 hours seen, or most of it in one go).

      Without names it shows providers, models, pools and the total, and every scope as soon as a \
      budget outside those is exhausted; json has the scopes asked for, whatever happens. Exits 1 when a name has no \
      budget.
      """)

  @Argument(help: "Only budgets of these names, of whatever scope.")
  var names: [String] = []

  @Flag(help: "Only budgets that are exhausted, of whatever scope.")
  var exhausted = false

  @Option(
    help: """
      Order within a scope: config, nearest (to its limit; the default of --watch), name, \
      spend or resets.
      """)
  var sort: BudgetOrder?

  @Flag(help: "Show deployments' budgets too.")
  var deployments = false

  @Flag(help: "Show tags' budgets too.")
  var tags = false

  @Flag(help: "Show models' budgets too; the table does where there are any.")
  var models = false

  @Flag(help: "Show pools' budgets and the total's too; the table does where there are any.")
  var pools = false

  @Flag(help: "Show every scope.")
  var all = false

  @Option(
    help: ArgumentHelp(
      "Only the budgets that names have by this pattern, such as 'user:*', nearest to their limits "
        + "first.", valueName: "pattern"))
  var pattern: String?

  @Option(help: ArgumentHelp("How many of them, with --pattern.", valueName: "count"))
  var top: UInt32 = 20

  @Option(help: "Write table or json.")
  var output = OutputFormat.table

  @Flag(help: "Show names in full, however wide the table gets.")
  var wide = false

  @Flag(help: "Show them again and again, until Ctrl-C; with json one line each time.")
  var watch = false

  @Option(help: ArgumentHelp("How often, with --watch.", valueName: "seconds"))
  var interval = 1.0

  @OptionGroup var server: ServerOptions
  @ParentCommand var root: Budgetctl

  func validate() throws {
    guard interval >= 0.1 && interval <= 3_600 else {
      throw ValidationError("--interval \(interval): give 0.1 to 3600 seconds")
    }
    if let pattern, pattern.last != "*" {
      throw ValidationError(
        "--pattern '\(pattern)': give a pattern of the configuration, which ends in *; a name goes "
          + "without --pattern")
    }
    guard (1...1_000).contains(top) else { throw ValidationError("--top \(top): give 1 to 1000") }
    guard names.count <= Self.mostNames else {
      throw ValidationError("\(names.count) names: give at most \(Self.mostNames)")
    }
  }

  func run() async throws {
    let client = try server.client(root: root.server)
    if watch {
      await BudgetsWatch(command: self, client: client).run()
      return
    }
    let report: BudgetsReport
    do throws(BudgetClientError) {
      report = try await question.report(from: client)
    } catch {
      throw Failure(error, server: client.server)
    }
    switch output {
    case .json: Terminal.write(lines: JSONValue.lines(report.json))
    case .table: Terminal.write(lines: report.lines(table(Terminal.current())))
    }
    if !report.missing.isEmpty {
      let names = report.missing.map { "'\($0)'" }.joined(separator: ", ")
      throw Failure(
        "no budget is named \(names): see budgetctl budgets --all", .refused)
    }
  }

  /// As many tags as one request may name.
  private static let mostNames = 256

  /// The question that these options make.
  var question: BudgetsQuestion {
    var question = BudgetsQuestion(
      scopes: BudgetScope.inOrder.filter { all || shows($0) })
    question.names = names
    question.pattern = pattern
    question.top = top
    question.isExhaustedOnly = exhausted
    question.looksElsewhere = output == .table
    question.order = sort ?? (watch ? .nearest : .config)
    return question
  }

  /// Whether a scope is shown without `--all`.
  private func shows(_ scope: BudgetScope) -> Bool {
    switch scope {
    case .provider: true
    case .deployment: deployments
    case .tag: tags
    // They are few.
    case .model: models || output == .table
    case .pool, .total: pools || output == .table
    }
  }

  /// The table for this terminal, now.
  func table(_ terminal: Terminal) -> BudgetsTable {
    BudgetsTable(
      isColoured: terminal.isColoured, columns: wide ? nil : terminal.size?.columns,
      nowUnixMilliseconds: Self.now())
  }

  static func now() -> Int64 { Int64(Date().timeIntervalSince1970 * 1_000) }
}
