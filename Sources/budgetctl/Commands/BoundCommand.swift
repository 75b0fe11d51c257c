import ArgumentParser
import BudgetClient
import BudgetModel

/// By how much a budget can be passed.
struct BoundCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bound", abstract: "Shows by how much a budget can be overspent as things are.",
    discussion: """
      budgetctl bound provider openai --window 1d

      A budget is passed by what is under way when its limit is reached: costs of reserved requests \
      beyond what was held for them, less what is kept back for that (X - Z), and costs that nothing was \
      held for (U). In a fleet come to that, by the budget's mode, what other nodes reserve unseen (S) or hold \
      of a name's budget without asking (A). X is the mean overrun of a settled reservation here, for each that is open; U is the \
      share of spend without a reservation, at the rate of the last 15 minutes, for as long as a request \
      takes (--flight). deploy/reservations.md derives the bound.
      """)

  @Argument(help: "provider, deployment, model, tag, pool or total.")
  var scope: ScopeArgument

  @Argument(help: "The budget's name; not needed for the total.")
  var name = ""

  @Option(
    help: ArgumentHelp(
      "Which of the name's windows, as configured: 1d, month. Not needed where it has one.",
      valueName: "window"))
  var window: String?

  @Option(
    help: ArgumentHelp("How long a request takes until its cost is known.", valueName: "seconds"))
  var flight = 2.0

  @Option(help: "Write table or json.")
  var output = OutputFormat.table

  @OptionGroup var server: ServerOptions
  @ParentCommand var root: Budgetctl

  func validate() throws {
    guard (0...86_400).contains(flight) else {
      throw ValidationError("--flight \(flight): give 0 to 86400 seconds")
    }
    if name.isEmpty, scope.scope != .total {
      throw ValidationError("give the name of the \(scope.scope) too")
    }
  }

  func run() async throws {
    let client = try server.client(root: root.server)
    let all: GetProviderBudgetsResponse
    do throws(BudgetClientError) {
      all = try await client.allBudgets(.everyScope)
    } catch {
      throw Failure(error, server: client.server)
    }
    guard let totals = all.reservations else {
      throw Failure("\(client.server) knows no reservations: it is older than 0.7.0", .refused)
    }
    let budget = try budget(in: all)
    var bound = OverspendBound(budget, scope.scope, totals, flightSeconds: flight)
    bound.isByPattern = BudgetsReport(all, scopes: BudgetScope.inOrder).rows.contains { row in
      row.scope == scope.scope && row.budget.pattern != nil && row.budget.name != budget.name
        && row.budget.timePeriod == budget.timePeriod
        && budget.name.hasPrefix(row.budget.name.dropLast())
    }
    switch output {
    case .table: Terminal.write(lines: bound.lines)
    case .json: Terminal.write(lines: [bound.json.text])
    }
  }

  private func budget(in all: GetProviderBudgetsResponse) throws(Failure) -> Budget {
    let named = BudgetsReport(all, scopes: BudgetScope.inOrder).rows.filter {
      $0.scope == scope.scope && (scope.scope == .total || $0.budget.name == name)
        && !$0.budget.timePeriod.isEmpty
        && (window == nil || $0.budget.timePeriod == window)
    }
    guard let first = named.first else {
      let of = window.map { " with the window \($0)" } ?? ""
      throw Failure(
        "no budget of the \(scope.scope) '\(name.printable)'\(of): see budgetctl budgets --all",
        .refused)
    }
    guard named.count == 1 else {
      let windows = named.map(\.budget.timePeriod).joined(separator: ", ")
      throw Failure(
        "the \(scope.scope) '\(name.printable)' has several budgets: name one of their windows "
          + "with --window: \(windows.printable)", .usage)
    }
    return first.budget
  }
}
