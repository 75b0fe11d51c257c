import BudgetModel
import BudgetWire

extension Administration {
  /// Changes the limit of a budget, or the mode of a name's budgets.
  func setBudget(
    _ head: RequestHead, _ decoder: inout RequestDecoder
  ) throws(ServiceRefusal) -> @Sendable (ChangeDesk) -> Void {
    let request: SetBudgetView
    do throws(WireFault) {
      request = try decoder.setBudget(head)
    } catch {
      throw ServiceRefusal(error.code, error.description)
    }
    var order = try ChangeOrder(
      request.target, try Self.deed(request), reason: request.reason, by: author)
    if request.untilUnixMilliseconds != 0 {
      guard (1...Timestamp.latest.unixMilliseconds).contains(request.untilUnixMilliseconds) else {
        throw ServiceRefusal(
          .invalidArgument,
          "until_unix_ms \(request.untilUnixMilliseconds): give Unix milliseconds after now and up to "
            + "\(Timestamp.latest.unixMilliseconds), the end of the year 9999, or 0: until it is "
            + "cleared")
      }
      order.until = Timestamp(unixMilliseconds: request.untilUnixMilliseconds)
    }
    if let version = request.ifVersion {
      try ServiceRefusal.check(version, field: "if_version")
      order.ifVersion = version.text
    }
    return { [order] desk in
      let result = desk.carryOut(order) { entry throws(ServiceRefusal) in
        try desk.set(order, &entry)
      }
      answer(result, of: desk) { $0.appendSetBudget($1, callID: $2, to: &$3) }
    }
  }

  private static func deed(_ request: SetBudgetView) throws(ServiceRefusal) -> ChangeOrder.Deed {
    let given = [request.limitUSD != nil, request.hasNoLimit, request.hasMode].count { $0 }
    guard given == 1 else {
      throw ServiceRefusal(
        .invalidArgument,
        "\(given) of limit_usd, no_limit and mode are given: give one, the others in calls of "
          + "their own")
    }
    if let limit = request.limitUSD {
      return .limit(try ServiceRefusal.amount(limit, field: "limit_usd"))
    }
    if request.hasNoLimit { return .limit(nil) }
    guard let mode = request.mode else {
      throw ServiceRefusal(
        .invalidArgument,
        "mode: give one of \(BudgetMode.allCases.map(\.description).joined(separator: ", "))")
    }
    return .mode(mode)
  }
}
