import ArgumentParser
import BudgetClient
import BudgetModel

/// The stop button.
struct FreezeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "freeze", abstract: "Denies a provider, model, tag or everything, on every node.",
    discussion: """
      budgetctl freeze provider openai --for 30m --reason runaway
      budgetctl freeze total

      It denies whatever is spent, free deployments too, on this node at once and on others with their \
      next pass, also where the name has no budget. `budgetctl clear` ends it. Needs the role admin.
      """)

  @OptionGroup var target: TargetOptions
  @OptionGroup var terms: TermOptions
  @OptionGroup var server: ServerOptions
  @ParentCommand var root: Budgetctl

  func run() async throws {
    try await ChangeRun(server: server, root: root, terms: terms)
      .set(target.target, .mode(.freeze))
  }
}

/// Lets a name's budgets watch only.
struct ShadowCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "shadow", abstract: "Lets budgets count and deny nothing, on every node.",
    discussion: """
      budgetctl shadow tag team:ml --until midnight

      What they would have denied is counted. `budgetctl clear` ends it. Needs the role admin.
      """)

  @OptionGroup var target: TargetOptions
  @OptionGroup var terms: TermOptions
  @OptionGroup var server: ServerOptions
  @ParentCommand var root: Budgetctl

  func run() async throws {
    try await ChangeRun(server: server, root: root, terms: terms)
      .set(target.target, .mode(.shadow))
  }
}

/// Has a name's budgets deny at their limits.
struct EnforceCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "enforce", abstract: "Has budgets deny at their limits, on every node.",
    discussion: """
      budgetctl enforce tag team:ml

      Whatever the configuration says of the mode. `budgetctl clear` ends it. Needs the role admin.
      """)

  @OptionGroup var target: TargetOptions
  @OptionGroup var terms: TermOptions
  @OptionGroup var server: ServerOptions
  @ParentCommand var root: Budgetctl

  func run() async throws {
    try await ChangeRun(server: server, root: root, terms: terms)
      .set(target.target, .mode(.enforce))
  }
}
