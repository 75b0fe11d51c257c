import BudgetEngine
import BudgetModel
import BudgetWire
import SpendLedger
import TCPTransport

extension LedgerRecorder {
  /// Answers to `token` with the page as soon as the ledger has told its windows.
  func tellHistory(_ page: HistoryPage, token: LedgerToken) -> Bool {
    answerLater(.getSpendHistory, token: token) { [self] callID, output in
      do throws(ServiceRefusal) {
        responses.appendSpendHistory(try history(page), callID: callID, to: &output)
        return .ok
      } catch {
        responses.appendStatus(error.status, callID: callID, to: &output)
        return error.status.code
      }
    }
  }

  private func history(_ page: HistoryPage) throws(ServiceRefusal) -> GetSpendHistoryResponse {
    let response: GetSpendHistoryResponse
    do throws(LedgerError) {
      response = try page.response { question throws(LedgerError) in
        try ledger.history(of: [question]).first ?? []
      }
    } catch {
      throw ServiceRefusal(Self.status(ofHistory: error))
    }
    if let unknown = page.budget.unknown, response.windows.isEmpty {
      throw ServiceRefusal(unknown)
    }
    return response
  }

  func answerLater(
    _ method: MethodName, token: LedgerToken,
    _ answer: @escaping @Sendable (UInt64, inout [UInt8]) -> StatusCode
  ) -> Bool {
    desk.take { [self] in
      var batch = ReplyBatch()
      reply(to: token, in: &batch) { callID, output in
        requests.count(method.position, answer(callID, &output))
      }
      post(batch)
    }
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
