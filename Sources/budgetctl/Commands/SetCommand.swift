import ArgumentParser
import BudgetClient
import BudgetModel

/// Changes a budget's limit on every node.
struct SetCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "set", abstract: "Changes a budget's limit on every node, at once.",
    discussion: """
      budgetctl set provider openai --limit 150 --until 18:00 --reason launch
      budgetctl set tag 'user:*' --limit 10 --window day

      The change holds over the configuration, over reloads and restarts, until --until or until \
      `budgetctl clear`; LiteLLM does not see it. Other nodes have it with their next pass. A time of \
      day is this machine's. Needs the role admin.
      """)

  @OptionGroup var target: TargetOptions

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("The limit in US dollars; none: no limit.", valueName: "usd | none"))
  var limit: String

  @OptionGroup var terms: TermOptions
  @OptionGroup var server: ServerOptions
  @ParentCommand var root: Budgetctl

  func validate() throws { _ = try setting() }

  private func setting() throws -> SetBudgetRequest.Setting {
    if limit == "none" { return .noLimit }
    guard let dollars = Double(limit), dollars >= 0, dollars <= 9_000_000_000 else {
      throw ValidationError("--limit \(limit): give 0 to 9000000000 US dollars, or none")
    }
    return .limitUSD(dollars)
  }

  func run() async throws {
    try await ChangeRun(server: server, root: root, terms: terms)
      .set(target.target, try setting())
  }
}

/// Sends one change and says what it did.
struct ChangeRun {
  let server: ServerOptions
  let root: Budgetctl
  let terms: TermOptions

  func set(_ target: BudgetTarget, _ setting: SetBudgetRequest.Setting) async throws {
    let client = try server.client(root: root.server)
    var request = SetBudgetRequest(target, setting)
    request.untilUnixMilliseconds = try terms.end(
      at: Timestamp(unixMilliseconds: BudgetsCommand.now()))
    request.reason = terms.why.reason
    do throws(BudgetClientError) {
      let answer = try await client.setBudget(request)
      Terminal.write(lines: [ChangeText.line(answer.change, before: answer.before)])
    } catch {
      throw Failure(error, server: client.server)
    }
  }
}
