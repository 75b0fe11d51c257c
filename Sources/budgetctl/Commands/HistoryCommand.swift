import ArgumentParser
import BudgetClient
import BudgetModel
import JSONWriting

/// Shows a budget's windows and their spend.
struct HistoryCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "history", abstract: "Shows what a budget spent, window by window.",
    discussion: """
      budgetctl history provider openai --window 1d
      budgetctl history total

      The open window comes first, then those that have ended, the newest first; windows in which \
      nothing was spent are left out. They are kept for 35 days, and the last 13 of a budget in force \
      for longer (at most 10,000); those of a name's budget by a pattern (user:*) for 7 days. SPEND is \
      the fleet's, others' part as this node heard it last; where it is marked, without Redis, and of \
      windows of a pattern's names that have ended, it is this node's own. LIMIT is the one in force when the window ended; "?" where it was not noted.

      --output json writes an array of objects with start, end (ISO 8601, its last instant), spend_usd, \
      own_usd, fleet (false: this node's own alone), limit_usd (null = unlimited), limit_unknown, \
      open and reset. Exits 1 when there is no such budget.
      """)

  @Argument(help: "provider, deployment, model, tag, pool or total.")
  var scope: ScopeArgument

  @Argument(help: "The budget's name; not needed for the total.")
  var name = ""

  @Option(
    help: ArgumentHelp(
      "Which of the name's windows, as configured: 1d, month. Not needed where it has one.",
      valueName: "window"))
  var window = ""

  @Option(help: ArgumentHelp("How many windows at most, 1 to 10000.", valueName: "count"))
  var limit = 31

  @Option(help: "Write table or json.")
  var output = OutputFormat.table

  @Flag(help: "As --output json.")
  var json = false

  @OptionGroup var server: ServerOptions
  @ParentCommand var root: Budgetctl

  func validate() throws {
    guard (1...Self.mostWindows).contains(limit) else {
      throw ValidationError("--limit \(limit): give 1 to \(Self.mostWindows)")
    }
    if name.isEmpty, scope.scope != .total {
      throw ValidationError("give the name of the \(scope.scope) too")
    }
  }

  /// As many as a node keeps of one budget.
  private static let mostWindows = 10_000
  /// As many as one page may have.
  private static let mostOnAPage = 1_000

  func run() async throws {
    let client = try server.client(root: root.server)
    let report: HistoryReport
    do throws(BudgetClientError) {
      report = try await history(from: client)
    } catch {
      throw Failure(error, server: client.server)
    }
    if json || output == .json {
      Terminal.write(lines: JSONValue.lines(report.json))
    } else {
      let terminal = Terminal.current()
      Terminal.write(
        lines: report.lines(
          isColoured: terminal.isColoured, columns: terminal.columns, now: BudgetsCommand.now()))
    }
  }

  /// Page after page until there are enough windows.
  private func history(
    from client: BudgetClient
  ) async throws(BudgetClientError) -> HistoryReport {
    var request = GetSpendHistoryRequest(scope: scope.scope, name: name, window: window)
    var all: GetSpendHistoryResponse?
    for _ in 0..<Self.mostWindows {
      request.pageSize = UInt32(min(limit - (all?.windows.count ?? 0), Self.mostOnAPage))
      let page = try await client.getSpendHistory(request)
      var windows = all?.windows ?? []
      windows += page.windows
      all = page
      all?.windows = windows
      request.pageToken = page.nextPageToken
      if page.nextPageToken.isEmpty || windows.count >= limit { break }
    }
    let response = all ?? GetSpendHistoryResponse()
    return HistoryReport(response, isCut: !response.nextPageToken.isEmpty)
  }
}

/// A scope on the command line, by its word.
struct ScopeArgument: ExpressibleByArgument {
  let scope: BudgetScope

  static let allValueStrings = BudgetScope.inOrder.map(\.description)

  init?(argument: String) {
    guard let scope = BudgetScope(word: argument) else { return nil }
    self.scope = scope
  }
}
