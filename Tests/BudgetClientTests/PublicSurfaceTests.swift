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
}
