public import BudgetWire

// Administration: these need the role admin, but for `listChanges`, which needs read.

extension BudgetClient {
  /// Changes the limit of a budget, or the mode of a name's budgets. Returning means that the change is
  /// in force on the node that answered, and on its disk; other nodes have it with their next pass.
  public func setBudget(
    _ request: SetBudgetRequest, timeout: Duration? = nil
  ) async throws(BudgetClientError) -> SetBudgetResponse {
    let response = try await answer(to: .setBudget(request), timeout: timeout)
    guard case .setBudget(let result)? = response.result else {
      throw .unknown(.unreadableAnswer("the answer to set_budget is to another method"))
    }
    return result
  }

  /// Has the configuration's values hold again; gives the changes that cleared something.
  public func clearBudget(
    _ request: ClearBudgetRequest, timeout: Duration? = nil
  ) async throws(BudgetClientError) -> [BudgetOverride] {
    let response = try await answer(to: .clearBudget(request), timeout: timeout)
    guard case .clearBudget(let changes)? = response.result else {
      throw .unknown(.unreadableAnswer("the answer to clear_budget is to another method"))
    }
    return changes
  }

  /// Ends the open window of a budget and begins the next one.
  public func resetBudget(
    _ request: ResetBudgetRequest, timeout: Duration? = nil
  ) async throws(BudgetClientError) -> ResetBudgetResponse {
    let response = try await answer(to: .resetBudget(request), timeout: timeout)
    guard case .resetBudget(let result)? = response.result else {
      throw .unknown(.unreadableAnswer("the answer to reset_budget is to another method"))
    }
    return result
  }

  /// Asks what was changed on the node that answers: one page. Only reads: the error is always
  /// `notApplied`; UNIMPLEMENTED from servers before 0.7.0.
  public func listChanges(
    _ request: ListChangesRequest = ListChangesRequest(), timeout: Duration? = nil
  ) async throws(BudgetClientError) -> ListChangesResponse {
    let response = try await answer(to: .listChanges(request), timeout: timeout)
    guard case .changes(let result)? = response.result else {
      throw .notApplied(.unreadableAnswer("the answer to list_changes is to another method"))
    }
    return result
  }

  /// Has the node read its configuration again, as SIGHUP does. Throws FAILED_PRECONDITION with what is
  /// wrong where it is refused.
  public func reloadConfig(
    timeout: Duration? = nil
  ) async throws(BudgetClientError) -> ReloadConfigResponse {
    let response = try await answer(to: .reloadConfig, timeout: timeout)
    guard case .reloadConfig(let result)? = response.result else {
      throw .unknown(.unreadableAnswer("the answer to reload_config is to another method"))
    }
    return result
  }
}
