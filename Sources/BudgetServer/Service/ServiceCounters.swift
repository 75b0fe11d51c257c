public import BudgetModel
import Synchronization

/// The field of a request that a name stands in.
public enum NameField: Int, CaseIterable, Sendable {
  case provider, deployment, model, tag
}

/// Counts of faults that the request path met and went on from, since the start. Any lane may
/// count.
public final class ServiceCounters: Sendable {
  /// By field and fault.
  private let unusable = InlineArray<12, Atomic<Int>> { _ in Atomic(0) }
  private let unresolved = Atomic<Int>(0)
  private let unbudgeted = Atomic<Int>(0)
  private let refused = Atomic<Int>(0)

  /// Starts at zero.
  public init() {}

  /// Names over 256 bytes, with control characters or not UTF-8: they can match no budget.
  public var unusableNames: Int {
    NameField.allCases.reduce(0) { sum, field in
      NameFault.allCases.reduce(sum) { $0 + unusableNames(field, $1) }
    }
  }

  /// Of these, the names of one field with one fault.
  public func unusableNames(_ field: NameField, _ fault: NameFault) -> Int {
    unusable[Self.place(field, fault)].load(ordering: .relaxed)
  }

  /// Models that came without a provider and for which no rule names one.
  public var unresolvedModels: Int { unresolved.load(ordering: .relaxed) }

  /// Records whose names have no budget: accepted, charged to nothing.
  public var unbudgetedRecords: Int { unbudgeted.load(ordering: .relaxed) }

  /// Requests that were answered with INVALID_ARGUMENT.
  public var refusedRequests: Int { refused.load(ordering: .relaxed) }

  func countUnusable(_ field: NameField, _ fault: NameFault, times: Int) {
    unusable[Self.place(field, fault)].add(times, ordering: .relaxed)
  }

  private static func place(_ field: NameField, _ fault: NameFault) -> Int {
    field.rawValue * NameFault.allCases.count + Int(fault.rawValue)
  }

  func countUnresolvedModels(_ count: Int) { unresolved.add(count, ordering: .relaxed) }
  func countUnbudgetedRecord() { unbudgeted.add(1, ordering: .relaxed) }
  func countRefusedRequest() { refused.add(1, ordering: .relaxed) }
}
