import ArgumentParser
import BudgetClient
import JSONWriting

/// Every budget's verdict on a request.
struct ExplainCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain", abstract: "Shows every budget that a request meets, and its verdict.",
    discussion: """
      Asks what `filter` would ask, and shows each name that a budget was looked for under: the \
      provider, given or derived, the deployment and the tags, also those without a budget. SPEND is \
      what is compared with the limit: spent, waiting for the disk, reserved, and withheld for other \
      nodes while Redis is away. Nothing is counted as a denial. Exits 0, also when the request is denied.
      """)

  @OptionGroup var question: QuestionOptions

  @Option(help: "Write table or json.")
  var output = OutputFormat.table

  @OptionGroup var server: ServerOptions
  @ParentCommand var root: Budgetctl

  func validate() throws {
    if question.deployment.isEmpty, question.modelName == nil, question.tag.isEmpty {
      throw ValidationError("say what to explain: --deployment, --model-name or --tag")
    }
  }

  func run() async throws {
    let client = try server.client(root: root.server)
    let response: ExplainRequestResponse
    do throws(BudgetClientError) {
      response = try await client.explainRequest(question.request)
    } catch {
      throw Failure(error, server: client.server)
    }
    let report = ExplainReport(response: response, nowUnixMilliseconds: BudgetsCommand.now())
    switch output {
    case .table: Terminal.write(lines: report.lines(columns: Terminal.current().columns))
    case .json: Terminal.write(lines: [report.json.text])
    }
  }
}
