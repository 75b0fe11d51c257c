import BudgetModel
import BudgetWire
import SpendLedger

extension Administration {
  private static let usualLines = 100
  private static let mostLines = 1_000
  private static let mostInForce = 1_000

  /// Tells what was changed, a page at a time.
  func listChanges(
    _ head: RequestHead, _ decoder: inout RequestDecoder
  ) throws(ServiceRefusal) -> @Sendable (ChangeDesk) -> Void {
    let request: ListChangesView
    do throws(WireFault) {
      request = try decoder.listChanges(head)
    } catch {
      throw ServiceRefusal(error.code, error.description)
    }
    var before: Int64?
    if !request.pageToken.isEmpty {
      guard request.pageToken.isWellFormed, let row = Int64(request.pageToken.text), row > 0 else {
        throw ServiceRefusal(
          .invalidArgument, "page_token is not from this server: give next_page_token as it came")
      }
      before = row
    }
    let size = request.pageSize == 0 ? Self.usualLines : min(Int(request.pageSize), Self.mostLines)
    let since = Timestamp(unixMilliseconds: request.sinceUnixMilliseconds)
    return { [before] desk in
      var result: Result<ListChangesResponse, ServiceRefusal>
      do throws(LedgerError) {
        // One more than fits, to know whether there is a next page.
        let rows = try desk.ledger.audit(before: before, since: since, count: size + 1)
        result = .success(
          Self.page(rows, size, inForce: before == nil ? desk.inForce(Self.mostInForce) : []))
      } catch {
        result = .failure(ServiceRefusal(.unavailable, "\(error)"))
      }
      answer(result, of: desk) { $0.appendChanges($1, callID: $2, to: &$3) }
    }
  }

  private static func page(
    _ rows: [AuditRow], _ size: Int, inForce: [BudgetOverride]
  ) -> ListChangesResponse {
    var response = ListChangesResponse()
    response.lines = rows.prefix(size).map { AuditLine($0) }
    if rows.count > size, let last = rows.prefix(size).last {
      response.nextPageToken = "\(last.id)"
    }
    response.inForce = inForce
    return response
  }
}

extension ChangeDesk {
  /// The changes in force, by name, `most` at most.
  func inForce(_ most: Int) -> [BudgetOverride] {
    table.inForce(at: time.now())
      .sorted { $0.register.target.description < $1.register.target.description }
      .prefix(most).map { BudgetOverride($0) }
  }
}

extension AuditLine {
  /// A row of the ledger.
  init(_ row: AuditRow) {
    guard let entry = row.entry else {
      self.init(atUnixMilliseconds: 0, action: "unreadable")
      refusal = "the line has changed on the disk since it was written"
      return
    }
    self.init(atUnixMilliseconds: entry.at.unixMilliseconds, action: entry.action)
    author = entry.author.name
    place = entry.author.place
    nodeID = entry.node
    target = entry.target.map { BudgetTarget($0.scope, $0.name, window: $0.windowText) }
    before = entry.before
    after = entry.after
    reason = entry.reason
    refusal = entry.refusal
  }
}
