/// The answer to RecordSpend.
public struct RecordSpendResult: Hashable, Sendable {
  /// The idempotency key was seen before: nothing was added now.
  public var isDuplicate: Bool
  /// How many budgets the cost was added to.
  public var budgetsCharged: UInt32

  /// An answer of both its parts.
  public init(isDuplicate: Bool, budgetsCharged: UInt32) {
    self.isDuplicate = isDuplicate
    self.budgetsCharged = budgetsCharged
  }
}
