import ArgumentParser
import BudgetClient
import BudgetModel

/// Raises a limit by an amount, whatever it is now.
struct RaiseCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "raise", abstract: "Raises a budget's limit by an amount, on every node.",
    discussion: """
      budgetctl raise provider openai --by 50 --until midnight

      It reads the limit and sets the sum; where somebody else changes it in between it reads again, so \
      two raises add up. --by may be negative. Otherwise as `budgetctl set`.
      """)

  @OptionGroup var target: TargetOptions

  @Option(
    parsing: .unconditional, help: ArgumentHelp("By how much, US dollars.", valueName: "usd"))
  var by: Double

  @OptionGroup var terms: TermOptions
  @OptionGroup var server: ServerOptions
  @ParentCommand var root: Budgetctl

  /// More changes than that in a row do not come between by chance.
  private static let tries = 8

  func validate() throws {
    guard by.isFinite, by != 0, by.magnitude <= 9_000_000_000 else {
      throw ValidationError("--by \(by): give an amount other than 0 within 9000000000 US dollars")
    }
  }

  func run() async throws {
    let client = try server.client(root: root.server)
    let until = try terms.end(at: Timestamp(unixMilliseconds: BudgetsCommand.now()))
    do throws(BudgetClientError) {
      for attempt in 1...Self.tries {
        let budget = try await found(by: client)
        do throws(BudgetClientError) {
          var request = SetBudgetRequest(
            BudgetTarget(target.scope.scope, target.name, window: budget.timePeriod),
            .limitUSD(try raised(budget)))
          request.untilUnixMilliseconds = until
          request.reason = terms.why.reason
          request.ifVersion = budget.overrideVersion
          let answer = try await client.setBudget(request)
          return Terminal.write(lines: [ChangeText.line(answer.change, before: answer.before)])
        } catch {
          guard error.status?.code == .aborted, attempt < Self.tries else { throw error }
        }
      }
    } catch {
      throw Failure(error, server: client.server)
    }
  }

  /// The limit that the budget is to have.
  private func raised(_ budget: Budget) throws(BudgetClientError) -> Double {
    guard let limit = budget.pattern.map(\.limitUSD) ?? budget.limitUSD else {
      throw refused("it has no limit to raise: give it one with `budgetctl set --limit`")
    }
    guard let before = try? PicoUSD(dollars: limit, atMost: .maximumRecord),
      let change = try? PicoUSD(dollars: by.magnitude, atMost: .maximumRecord)
    else { throw refused("its limit of \(limit) is not one") }
    let after = by < 0 ? before - change : before + change
    guard after >= .zero, after <= .maximumRecord else {
      throw refused("its limit of \(before.exactText) cannot be raised by \(by.pythonText)")
    }
    return after.dollars
  }

  private func refused(_ reason: String) -> BudgetClientError {
    .notApplied(.refused(RPCStatus(.failedPrecondition, reason)))
  }

  /// The budget as it stands.
  private func found(by client: BudgetClient) async throws(BudgetClientError) -> Budget {
    let name = target.scope.scope == .total ? BudgetKey.totalName : target.name
    var request = GetProviderBudgetsRequest()
    request.providers = [target.scope.scope == .provider ? name : "\u{1}"]
    switch target.scope.scope {
    case .provider: break
    case .deployment: request.deploymentIDs = [name]
    case .tag: request.tags = [name]
    case .model: request.models = [name]
    case .pool, .total: request.includesPools = true
    }
    let all = try await client.allBudgets(request)
    let budgets =
      switch target.scope.scope {
      case .provider: all.providers
      case .deployment: all.deployments
      case .tag: all.tags
      case .model: all.models
      case .pool: all.pools
      case .total: all.total
      }
    let named = budgets.filter {
      $0.name == name && !$0.timePeriod.isEmpty
        && (target.window.isEmpty || $0.timePeriod == target.window)
    }
    guard let budget = named.first, named.count == 1 else {
      throw refused(
        named.isEmpty
          ? "there is no such budget, or a pattern gives it at its first charge: give it a limit with "
            + "`budgetctl set --limit`"
          : "it has budgets per \(named.map(\.timePeriod).joined(separator: ", ")): say which with "
            + "--window")
    }
    return budget
  }
}
