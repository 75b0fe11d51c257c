import ArgumentParser
import BudgetClient
import JSONWriting

/// Which candidates are within budget.
struct FilterCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "filter", abstract: "Asks which deployments are within budget.",
    discussion: """
      Exits 0 when a candidate is allowed, 2 when all are over budget: then standard error has the \
      message that LiteLLM gives. PROVIDER is the one whose budget was asked, given or derived.
      """)

  @OptionGroup var question: QuestionOptions

  @Option(help: "Write table or json.")
  var output = OutputFormat.table

  @OptionGroup var server: ServerOptions
  @ParentCommand var root: Budgetctl

  func validate() throws {
    if question.deployment.isEmpty, question.modelName == nil {
      throw ValidationError("give candidates with --deployment, or a --model-name")
    }
  }

  func run() async throws {
    let client = try server.client(root: root.server)
    let request = question.request
    let response: FilterDeploymentsResponse
    do throws(BudgetClientError) {
      response = try await client.filterDeployments(request)
    } catch {
      throw Failure(error, server: client.server)
    }
    var report = FilterReport(response, to: request, nowUnixMilliseconds: BudgetsCommand.now())
    // A server from before 0.3.0 does not say; the answer stands without it.
    if let explained = try? await client.explainRequest(request) { report.add(explained) }
    switch output {
    case .table: Terminal.write(lines: report.lines(columns: Terminal.current().columns))
    case .json: Terminal.write(lines: [report.json.text])
    }
    if response.isExhausted { throw Failure(response.message, .overBudget) }
  }
}
