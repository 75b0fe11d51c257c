import Synchronization

/// What the request path met and went on from, since the start. Any lane may count.
public final class ServiceCounters: Sendable {
  private let strange = Atomic<Int>(0)
  private let unresolved = Atomic<Int>(0)
  private let unbudgeted = Atomic<Int>(0)
  private let refused = Atomic<Int>(0)

  /// Starts at zero.
  public init() {}

  /// Names over 256 bytes, with control characters or not UTF-8: they can match no budget.
  public var strangeNames: Int { strange.load(ordering: .relaxed) }

  /// Models that came without a provider and for which no rule names one.
  public var unresolvedModels: Int { unresolved.load(ordering: .relaxed) }

  /// Records whose names have no budget: accepted, charged to nothing.
  public var unbudgetedRecords: Int { unbudgeted.load(ordering: .relaxed) }

  /// Requests that were answered with INVALID_ARGUMENT.
  public var refusedRequests: Int { refused.load(ordering: .relaxed) }

  func countStrangeName() { strange.add(1, ordering: .relaxed) }
  func countUnresolvedModel() { unresolved.add(1, ordering: .relaxed) }
  func countUnbudgetedRecord() { unbudgeted.add(1, ordering: .relaxed) }
  func countRefusedRequest() { refused.add(1, ordering: .relaxed) }
}
