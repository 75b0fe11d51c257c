import Access
import BudgetEngine
import BudgetModel
import BudgetPages
import BudgetWire
import HTTPPort
import SpendLedger

extension PageChanges {
  /// The changes of this server, for those whose role is admin.
  init(_ changes: ChangeDesk, _ access: AccessDesk) {
    self.init(
      asker: { request in
        let principal = access.identity(behind: request)?.principal
        return (
          ChangeAuthor(name: principal?.name ?? "nobody", place: request.peer),
          principal.map { $0.role >= .admin } ?? false
        )
      },
      audit: { since in
        // The page says that it was not to be had; the ledger says itself why.
        try? changes.ledger.audit(since: since, count: 1_000).compactMap(\.entry)
      },
      make: { order, tell in
        let isTaken = changes.take { tell(changes.make(order)) }
        if !isTaken {
          tell(
            .unavailable("\(ChangeDesk.waitingBound) changes wait already: try again in a second"))
        }
      },
      refused: { changes.audit.noteRefused($0, by: $1, $2) })
  }
}

extension ChangeDesk {
  /// Makes a change from the page. On the desk's queue.
  fileprivate func make(_ wanted: PageOrder) -> PageOutcome {
    do throws(ServiceRefusal) {
      let order = try order(wanted)
      let result = carryOut(order) { entry throws(ServiceRefusal) -> String in
        switch wanted.deed {
        case .raise(let amount, _):
          var raised = order
          raised.deed = .limit(try raisedLimit(of: order, by: amount))
          _ = try set(raised, &entry)
        case .freeze: _ = try set(order, &entry)
        case .unfreeze: try unfreeze(order, &entry)
        case .reset: _ = try reset(order, &entry)
        }
        return "\(order.words): \(entry.after); it was \(entry.before)"
      }
      return .done(try result.get())
    } catch {
      switch error.status.code {
      case .unavailable, .unknown, .resourceExhausted: return .unavailable(error.status.message)
      default: return .refused(error.status.message)
      }
    }
  }

  /// The order, as far as its form is right.
  private func order(_ wanted: PageOrder) throws(ServiceRefusal) -> ChangeOrder {
    do throws(ServiceRefusal) {
      return try ChangeOrder(wanted)
    } catch {
      audit.noteRefused("page", by: wanted.author, error.status.message)
      throw error
    }
  }

  private func raisedLimit(
    of order: ChangeOrder, by amount: PicoUSD
  ) throws(ServiceRefusal) -> PicoUSD {
    let entry = try BudgetsOfName(order.nameKey, in: engine, at: time.now()).entry(for: order)
    guard let limit = entry.limit else {
      throw ServiceRefusal(
        .failedPrecondition, "\(order.words) per \(entry.key.windowText) has no limit to raise")
    }
    let raised = limit + amount
    guard raised <= .maximumRecord else {
      throw ServiceRefusal(
        .outOfRange, "the limit would be \(raised.exactText), more than a limit can be")
    }
    return raised
  }
}

extension ChangeOrder {
  fileprivate init(_ wanted: PageOrder) throws(ServiceRefusal) {
    let deed: Deed =
      switch wanted.deed {
      case .raise(let amount, _): .limit(amount)
      case .freeze: .mode(.freeze)
      case .unfreeze: .clear
      case .reset(let amount): .reset(to: amount)
      }
    var target = wanted.target
    // A mode is of all budgets of the name.
    if wanted.deed == .freeze || wanted.deed == .unfreeze { target.windowText = "" }
    try self.init(target, deed, reason: wanted.reason, by: wanted.author)
    if case .raise(_, let until) = wanted.deed { self.until = until }
  }
}
