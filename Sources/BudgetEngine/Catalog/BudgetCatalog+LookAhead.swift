public import BudgetModel

/// Looking ahead at what look-ups will touch, where there are so many budgets that it is not at hand.
extension BudgetCatalog {
  /// Whether the tables are past what processors keep at hand, so that `lookAhead` is worth its time.
  public var isLarge: Bool { deployments.count >= Self.largeFrom }

  private static let largeFrom = 20_000

  /// Touches what the look-ups of candidates with these ids will touch: table, name, slots and gate
  /// of each. Looked up one after the other, each would wait for memory four times; here all of them
  /// wait together. Answers nothing and changes nothing. Precondition: at most 8 ids.
  public func lookAhead(_ ids: Span<NameBytes>) {
    let count = ids.count
    var hashes = InlineArray<8, UInt64>(repeating: 0)
    for index in 0..<count { hashes[index] = deployments.indexes.hash(of: ids[index]) }
    var entries = InlineArray<8, (value: Int32, name: Int)>(repeating: (Slot.none, 0))
    for index in 0..<count {
      if let entry = deployments.indexes.likely(hashes[index]) { entries[index] = entry }
    }
    var slots = InlineArray<8, Int32>(repeating: Slot.none)
    for index in 0..<count where entries[index].value != Slot.none {
      let slot = deploymentCandidates[Int(entries[index].value)].deployment
      // The name is touched as well: where its first byte differs, it is another's.
      let first = deployments.indexes.pool.byte(at: entries[index].name)
      if !ids[index].isEmpty, first == ids[index][0] { slots[index] = slot }
    }
    for index in 0..<count where slots[index] != Slot.none { _ = isOpen(slots[index]) }
  }
}
