import BudgetClient
import Testing

/// A program that imports BudgetClient alone, as one of another package does. That it compiles is
/// most of the test: the names and the members of all that goes in and comes out are there.
@Suite struct PublicSurfaceTests {
  @Test func oneImportIsEnough() async throws {
    var question = FilterDeploymentsRequest(
      deployments: [Deployment(id: "a", model: "openai/gpt-4o")], tags: ["team"])
    question.estimatedCostUSD = 0.5
    var record = RecordSpendRequest(costUSD: 0.25)
    record.deploymentID = question.deployments[0].id
    record.idempotencyKey = "k"
    var budgets = GetProviderBudgetsRequest()
    budgets.includesTags = true
    var settings = BudgetClientSettings()
    settings.timeout = .milliseconds(1)
    let client = try BudgetClient(server: "127.0.0.1:1", settings: settings)
    client.close()
    do throws(BudgetClientError) {
      let filtered: FilterDeploymentsResponse = try await client.filterDeployments(question)
      let denial: Denial? = filtered.denials.first
      let scope: BudgetScope? = denial?.scope
      let explained: ExplainRequestResponse = try await client.explainRequest(question)
      let candidate: ExplainedCandidate? = explained.candidates.first
      let verdict: ExplainedBudget.Verdict? = candidate?.budgets.first?.verdict
      let recorded: RecordSpendResponse = try await client.recordSpend(record)
      let page: GetProviderBudgetsResponse = try await client.allBudgets(budgets)
      let budget: Budget? = page.tags.first
      let history: GetSpendHistoryResponse = try await client.getSpendHistory(
        GetSpendHistoryRequest(scope: .provider, name: "openai"))
      let window: SpendWindow? = history.windows.first
      let held: ReserveSpendResponse = try await client.reserveSpend(
        ReserveSpendRequest(amountUSD: 1))
      let reservation: SpendReservation? = held.reservation
      question.reserve = ReserveOptions(amountUSD: 1)
      let released: Bool = try await client.releaseReservation(reservation?.id ?? "")
      #expect(!released)
      let ping: PingResponse = try await client.ping()
      let copy: BackupLedgerResponse = try await client.backupLedger()
      Issue.record(
        """
        a closed client answered: \(filtered.isExhausted) \(String(describing: scope)) \
        \(String(describing: verdict)) \(recorded.budgetsCharged) \
        \(String(describing: budget?.limitUSD)) \(ping.isReady) \(copy.bytes) \
        \(String(describing: window?.spendUSD))
        """)
    } catch {
      let status: RPCStatus? = error.status
      let code: StatusCode? = status?.code
      #expect(error == .notApplied(.clientClosed) && code == nil)
    }
  }

  /// The page's first request, and its hold.
  @Test func aRouterNeedsNoOtherImportEither() async throws {
    var settings = RouterSettings()
    settings.token = .text("t")
    settings.log = { _ in }
    let budgets = try RouterClient("127.0.0.1:1", onUnavailable: .open, settings: settings)
    let answer: FilterAnswer = try await budgets.filter(
      [Deployment(id: "d1", model: "openai/gpt-4o"), Deployment(id: "d2", model: "azure/gpt-4o")])
    let denial: Denial? = answer.denials.first
    #expect(answer.allowed == [0, 1] && denial == nil)
    #expect(answer.unavailable?.hasPrefix("no connection to 127.0.0.1:1: ") == true)
    var spend = RecordSpendRequest(costUSD: 0.25)
    spend.deploymentID = "d1"
    try budgets.record(spend)
    var request = FilterDeploymentsRequest(tags: ["team-a"])
    request.reserve = ReserveOptions(amountUSD: 0.05)
    try await budgets.withReservation(choosing: request) { hold in
      let deployment: Deployment? = hold.chosen?.deployment
      #expect(hold.reservation == nil && deployment == nil && hold.unavailable != nil)
      try hold.settle(costUSD: 0.04)
    }
    #expect(await budgets.close(timeout: .zero) == 2)
    let stats: RouterStats = budgets.stats
    #expect(stats.unavailable == 2 && stats.owed == 2)
    do throws(RouterError) {
      let page: GetProviderBudgetsResponse = try await budgets.budgets()
      let pong: PingResponse = try await budgets.ping()
      Issue.record("a closed client answered: \(page.total.count) \(pong.isReady)")
    } catch {
      #expect(error == .closed)
    }
  }
}
