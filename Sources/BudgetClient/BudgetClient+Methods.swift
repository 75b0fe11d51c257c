public import BudgetWire

// One method per RPC. Each waits for its answer at most `timeout`, else the settings' timeout, and
// throws `BudgetClientError`.

extension BudgetClient {
  /// Asks which deployments are within budget. Only reads, unless the request reserves: the error is
  /// then always `notApplied`. One that reserves gives back what it held if the caller's task is
  /// cancelled meanwhile.
  ///
  /// That every candidate is over budget is a result (`isExhausted`), not an error.
  public func filterDeployments(
    _ request: FilterDeploymentsRequest, timeout: Duration? = nil
  ) async throws(BudgetClientError) -> FilterDeploymentsResponse {
    try await filtered(request, tries: 1, timeout: timeout)
  }

  /// Asks so many times in all where it is unknown whether something is held.
  func filtered(
    _ request: FilterDeploymentsRequest, tries: Int, timeout: Duration? = nil
  ) async throws(BudgetClientError) -> FilterDeploymentsResponse {
    let method = RequestMessage.Method.filterDeployments(request)
    let response =
      request.reserve == nil
      ? try await answer(to: method, timeout: timeout)
      : try await holdingAnswer(to: method, tries: tries, timeout: timeout)
    guard case .filterDeployments(let result)? = response.result else {
      throw .notApplied(.unreadableAnswer("the answer to filter_deployments is to another method"))
    }
    return result
  }

  /// Asks what every budget says that `filterDeployments` would ask about the same request. Only
  /// reads: the error is always `notApplied`; UNIMPLEMENTED from servers before 0.3.0.
  public func explainRequest(
    _ request: FilterDeploymentsRequest, timeout: Duration? = nil
  ) async throws(BudgetClientError) -> ExplainRequestResponse {
    let response = try await answer(to: .explainRequest(request), timeout: timeout)
    guard case .explained(let result)? = response.result else {
      throw .notApplied(.unreadableAnswer("the answer to explain_request is to another method"))
    }
    return result
  }

  /// Records what a request cost. Returning means that it is recorded.
  ///
  /// Never sent twice. After an `unknown` error, recording again may count it twice, unless it has
  /// an idempotency key and the server remembers those.
  public func recordSpend(
    _ request: RecordSpendRequest, timeout: Duration? = nil
  ) async throws(BudgetClientError) -> RecordSpendResponse {
    let response = try await answer(to: .recordSpend(request), timeout: timeout)
    guard case .recordSpend(let result)? = response.result else {
      throw .unknown(.unreadableAnswer("the answer to record_spend is to another method"))
    }
    return result
  }

  /// Asks where the budgets stand: one page. Only reads: the error is always `notApplied`.
  public func getProviderBudgets(
    _ request: GetProviderBudgetsRequest = GetProviderBudgetsRequest(), timeout: Duration? = nil
  ) async throws(BudgetClientError) -> GetProviderBudgetsResponse {
    let response = try await answer(to: .getProviderBudgets(request), timeout: timeout)
    guard case .providerBudgets(let result)? = response.result else {
      throw .notApplied(
        .unreadableAnswer("the answer to get_provider_budgets is to another method"))
    }
    return result
  }

  /// Asks where the budgets stand, page after page from the request's, each within `timeout`.
  ///
  /// The pages are not one instant's: spend that is recorded meanwhile shows on later ones. Ends
  /// with an error past 10,000 pages, which only a server gone wrong has.
  public func allBudgets(
    _ request: GetProviderBudgetsRequest = GetProviderBudgetsRequest(), timeout: Duration? = nil
  ) async throws(BudgetClientError) -> GetProviderBudgetsResponse {
    var request = request
    var all = try await getProviderBudgets(request, timeout: timeout)
    for _ in 1..<Self.maximumPages {
      if all.nextPageToken.isEmpty { return all }
      request.pageToken = all.nextPageToken
      all.append(try await getProviderBudgets(request, timeout: timeout))
    }
    if all.nextPageToken.isEmpty { return all }
    throw .notApplied(.unreadableAnswer("budgets on more than \(Self.maximumPages) pages"))
  }

  private static let maximumPages = 10_000

  /// Asks what the windows of a budget held: one page. Only reads: the error is always `notApplied`;
  /// UNIMPLEMENTED from servers before 0.5.0.
  public func getSpendHistory(
    _ request: GetSpendHistoryRequest, timeout: Duration? = nil
  ) async throws(BudgetClientError) -> GetSpendHistoryResponse {
    let response = try await answer(to: .getSpendHistory(request), timeout: timeout)
    guard case .spendHistory(let result)? = response.result else {
      throw .notApplied(.unreadableAnswer("the answer to get_spend_history is to another method"))
    }
    return result
  }

  /// Has the ledger copied to a file called `name` in the server's backup directory, where nothing
  /// may have that name yet; empty: a name made of the date. Takes as long as the disk does: give it
  /// time.
  public func backupLedger(
    named name: String = "", timeout: Duration? = nil
  ) async throws(BudgetClientError) -> BackupLedgerResponse {
    let response = try await answer(to: .backupLedger(path: name), timeout: timeout)
    guard case .backupLedger(let result)? = response.result else {
      throw .unknown(.unreadableAnswer("the answer to backup_ledger is to another method"))
    }
    return result
  }

  /// Asks who answers, and how it is. Only reads: the error is always `notApplied`.
  public func ping(timeout: Duration? = nil) async throws(BudgetClientError) -> PingResponse {
    let response = try await answer(to: .ping, timeout: timeout)
    guard case .ping(let result)? = response.result else {
      throw .notApplied(.unreadableAnswer("the answer to ping is to another method"))
    }
    return result
  }
}

extension GetProviderBudgetsResponse {
  /// Adds the budgets of the next page.
  mutating func append(_ page: GetProviderBudgetsResponse) {
    providers += page.providers
    deployments += page.deployments
    tags += page.tags
    models += page.models
    pools += page.pools
    total += page.total
    reservations = page.reservations
    reconciledAtUnixMilliseconds = page.reconciledAtUnixMilliseconds
    nextPageToken = page.nextPageToken
  }
}
