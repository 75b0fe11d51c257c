import ArgumentParser
import BudgetClient

/// Has the configuration's values hold again.
struct ClearCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "clear", abstract: "Has the configuration's limit and mode hold again.",
    discussion: """
      budgetctl clear provider openai
      budgetctl clear provider openai --window 1d

      Without --window all changes of the name end, its mode's too; with it, that window's limit's. \
      Needs the role admin.
      """)

  @OptionGroup var target: TargetOptions
  @OptionGroup var why: ReasonOption
  @OptionGroup var server: ServerOptions
  @ParentCommand var root: Budgetctl

  func run() async throws {
    let client = try server.client(root: root.server)
    do throws(BudgetClientError) {
      let changes = try await client.clearBudget(
        ClearBudgetRequest(target.target, reason: why.reason))
      let lines = changes.map { ChangeText.line($0, before: "") }
      Terminal.write(
        lines: lines.isEmpty
          ? ["\(ChangeText.target(target.target)): nothing was changed"] : lines)
    } catch {
      throw Failure(error, server: client.server)
    }
  }
}
