/// The number of a budget's state, for as long as anything may refer to it.
enum Slot {
  /// No budget.
  static let none: Int32 = -1
}
