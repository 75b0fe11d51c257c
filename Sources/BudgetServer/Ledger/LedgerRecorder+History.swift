import BudgetEngine
import BudgetModel
import BudgetWire
import SpendLedger
import TCPTransport

extension LedgerRecorder {
  /// Answers to `token` with the page as soon as the ledger has told its windows.
  func tellHistory(_ page: HistoryPage, token: LedgerToken) -> Bool {
    desk.take { [self] in
      let result: Result<GetSpendHistoryResponse, ServiceRefusal>
      do throws(LedgerError) {
        let response = try page.response { question throws(LedgerError) in
          try ledger.history(of: [question]).first ?? []
        }
        result =
          page.budget.unknown.map { unknown in
            response.windows.isEmpty ? .failure(ServiceRefusal(unknown)) : .success(response)
          } ?? .success(response)
      } catch {
        result = .failure(ServiceRefusal(Self.status(ofHistory: error)))
      }
      tell(result, to: token)
    }
  }

  private func tell(
    _ result: Result<GetSpendHistoryResponse, ServiceRefusal>, to token: LedgerToken
  ) {
    var batch = ReplyBatch()
    let method = MethodName.getSpendHistory.position
    reply(to: token, in: &batch) { callID, output in
      switch result {
      case .success(let response):
        requests.count(method, .ok)
        responses.appendSpendHistory(response, callID: callID, to: &output)
      case .failure(let refusal):
        requests.count(method, refusal.status.code)
        responses.appendStatus(refusal.status, callID: callID, to: &output)
      }
    }
    post(batch)
  }

  private static func status(ofHistory error: LedgerError) -> RPCStatus {
    switch error {
    case .damaged: RPCStatus(.dataLoss, "\(error)")
    default: RPCStatus(.unavailable, "\(error)")
    }
  }

  /// The places of budgets in the configuration in force.
  func places(of budgets: [BudgetKey]) -> [BudgetPlace] {
    let catalog = engine.catalog
    return budgets.map { key in
      if catalog.hasEntry(key) { return .entry }
      return catalog.pattern(giving: key) == nil ? .none : .pattern
    }
  }
}

extension LedgerRecorder {
  /// `limits` with those that operators have changed in place of the configuration's.
  func inForce(_ limits: [NotedLimit]) -> [NotedLimit] {
    PolicyChanging(of: engine).inForce(limits.lazy.map { ($0.key, $0.limit) })
      .map { NotedLimit($0.key, $0.limit) }
  }
}

extension BudgetConfiguration {
  /// Every limit there is, for the ledger's notes.
  var notedLimits: [NotedLimit] {
    budgets.map { NotedLimit($0.key, $0.limit) }
      + patterns.map { NotedLimit($0.key, $0.policy.limit) }
  }

  /// Those that a reload may have changed.
  func notedLimits(after report: ReloadReport) -> [NotedLimit] {
    let changed = Set(report.added + report.relimited + report.renamed.map(\.to))
    return notedLimits.filter { changed.contains($0.key) || $0.key.name.hasSuffix("*") }
  }
}
