import ArgumentParser
import BudgetClient
import BudgetModel

/// Ends a budget's window now.
struct ResetCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reset", abstract: "Starts a budget's window again, on every node.",
    discussion: """
      budgetctl reset provider openai --reason 'wrong record of $5,000,000' --to 12.5

      The open window ends for good: what was spent stays in the history, and late records of other nodes \
      go there too. The new one begins with --to spent. A calendar's window goes on to its usual end, any \
      other lasts its whole length from now. LiteLLM's keys follow. Needs the role admin.
      """)

  @OptionGroup var target: TargetOptions

  @Option(
    help: ArgumentHelp("The spend that the new window begins with, US dollars.", valueName: "usd"))
  var to = 0.0

  @OptionGroup var why: ReasonOption
  @OptionGroup var server: ServerOptions
  @ParentCommand var root: Budgetctl

  func validate() throws {
    guard to >= 0, to <= 9_000_000_000 else {
      throw ValidationError("--to \(to): give 0 to 9000000000 US dollars")
    }
  }

  func run() async throws {
    let client = try server.client(root: root.server)
    do throws(BudgetClientError) {
      let answer = try await client.resetBudget(
        ResetBudgetRequest(target.target, toUSD: to, reason: why.reason))
      Terminal.write(
        lines: [
          ChangeText.line(
            answer.change, before: "\(HumanText.money(answer.spendUSD)) spent")
        ])
    } catch {
      throw Failure(error, server: client.server)
    }
  }
}
