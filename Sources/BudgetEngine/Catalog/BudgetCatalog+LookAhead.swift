public import BudgetModel

/// Looking ahead at what look-ups will touch, where there are so many budgets that it is not at hand.
extension BudgetCatalog {
  /// Whether the tables are past what processors keep at hand, so that `lookAhead` is worth its time.
  public var isLarge: Bool { deployments.count >= 20_000 }

  /// Touches what the look-ups of candidates with these ids will touch: table, name, slots and gate
  /// of each. Looked up one after the other, each would wait for memory four times; here all of them
  /// wait together: no branch depends on what is still under way, since a processor that guessed wrong
  /// would begin the reads behind it anew. Changes nothing, and its result is worth nothing: it has
  /// the compiler keep the reads. Precondition: at most 8 ids.
  @inline(never) @discardableResult
  public func lookAhead(_ ids: Span<NameBytes>) -> UInt32 {
    let (count, indexes) = (ids.count, deployments.indexes)
    var touched: UInt32 = 0
    var hashes = InlineArray<8, UInt64>(repeating: 0)
    for index in 0..<count {
      hashes[index] = indexes.hash(of: ids[index])
      touched ^= indexes.touch(hashes[index])
    }
    var slots = InlineArray<8, Int32>(repeating: Slot.none)
    for index in 0..<count {
      guard let (value, name) = indexes.likely(hashes[index]), !name.isEmpty else { continue }
      // Names and slots may lie across two cache lines: both ends are touched.
      let candidate = deploymentCandidates[Int(value)]
      touched ^= indexes.pool.touch(name) ^ UInt32(truncatingIfNeeded: candidate.pools)
      slots[index] = candidate.deployment
    }
    for index in 0..<count where slots[index] != Slot.none {
      touched ^= isOpen(slots[index]) ? 1 : 0
    }
    return touched
  }
}
