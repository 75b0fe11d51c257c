public import BudgetWire

/// Why a call of `RouterClient` has no result. The kinds and their words are those of every client.
public enum RouterError: Error, Hashable, Sendable {
  /// No candidate of a reservation has room: the server's message, and the budgets.
  case denied(String, [Denial])
  /// Any other status that another try does not change.
  case refused(RPCStatus)
  /// No address answered; the reason is that of the last try.
  case unavailable(reason: String)
  /// As many records are owed as may be.
  case outboxFull(count: Int)
  /// The client was closed.
  case closed
  /// An option or an argument is not what it has to be, in a sentence.
  case invalid(String)
  /// The caller's task was cancelled.
  case cancelled
}

extension RouterError: CustomStringConvertible {
  /// One sentence, in the words of all clients.
  public var description: String {
    switch self {
    case .denied(let message, _), .invalid(let message): message
    case .refused(let status): "the server answered \(status.text)"
    case .unavailable(let reason): "budgetd does not answer: \(reason)"
    case .outboxFull(let count): "\(count) records wait already, the most there may be"
    case .closed: "the client was closed"
    case .cancelled: "the call was cancelled"
    }
  }
}

/// A router that never hears of its budgets either lets every request pass or none: its user has to
/// say which.
public enum OnUnavailable: String, Hashable, Sendable {
  /// While no address answers, every candidate is allowed, and a hold holds nothing.
  case open
  /// While no address answers, `filter` and `reserve` throw `unavailable`.
  case closed

  /// Reads `open` or `closed`, as from a setting or a variable. Throws `invalid` for any other text, and
  /// for nil: it has no default.
  public init(_ text: String?) throws(RouterError) {
    guard let text else {
      throw .invalid(
        "on_unavailable is not given: open lets requests pass while budgetd is away, closed denies "
          + "them")
    }
    guard let known = OnUnavailable(rawValue: text) else {
      throw .invalid("on_unavailable is '\(text)': give open or closed")
    }
    self = known
  }
}
