import BudgetWire

/// The spend is recorded.
public struct RecordSpendResponse: Hashable, Sendable {
  /// The idempotency key was seen before: nothing was added now.
  public var isDuplicate: Bool
  /// How many budgets the cost was added to; 0: no budget has these names.
  public var budgetsCharged: Int

  init(_ result: RecordSpendResult) {
    isDuplicate = result.isDuplicate
    budgetsCharged = Int(result.budgetsCharged)
  }
}
