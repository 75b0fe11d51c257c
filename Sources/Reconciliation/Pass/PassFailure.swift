public import BudgetModel
public import RedisStore

/// Why a pass ended early. What it had sent may have been applied; the next one sends the same or
/// more.
public enum PassFailure: Error, Equatable {
  /// The link to the store broke, or was not to be had.
  case store(RedisError)
  /// The store refuses to work.
  case refused(RedisRefusal)
  /// What the store answered to the named command is no answer to it.
  case unexpectedReply(command: String)
  /// The store's clock is not believed.
  case clock(ClockDoubt)
  /// The store's clock has moved by more than a pass can last, in the middle of one.
  case clockMoved(from: Timestamp, to: Timestamp)
  /// The node's ledger cannot do its part.
  case node(FleetNodeError)
}

extension PassFailure: CustomStringConvertible {
  /// One sentence.
  public var description: String {
    switch self {
    case .store(let error): "\(error)"
    case .refused(let refusal): "Redis refuses: \(refusal)"
    case .unexpectedReply(let command): "Redis answered \(command) with something else than it does"
    case .clock(let doubt): "\(doubt)"
    case .clockMoved(let before, let now):
      "Redis' clock moved from \(before.iso8601) to \(now.iso8601) during a pass"
    case .node(let error): "the ledger: \(error.reason)"
    }
  }
}
