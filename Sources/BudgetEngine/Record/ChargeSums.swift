public import BudgetModel

/// What the records of one batch charge to each slot in all, so that a slot is charged once however
/// many of them name it. Reused from batch to batch. Memory: 4 bytes for every slot there is.
public struct ChargeSums: Sendable {
  /// The slots charged, each once, in the order in which they were first added.
  private(set) var slots: [Int32] = []
  /// What each of `slots` is charged.
  private(set) var amounts: [PicoUSD] = []
  /// How many records charge each of `slots`.
  private(set) var records: [UInt32] = []
  /// A slot to its position in `slots`; valid where that position holds the slot.
  private var positions: [Int32] = []

  /// Makes an empty list.
  public init() {}

  /// Empties the list and keeps its storage.
  public mutating func begin() {
    slots.removeAll(keepingCapacity: true)
    amounts.removeAll(keepingCapacity: true)
    records.removeAll(keepingCapacity: true)
  }

  /// Adds `amount`, which may be zero, to what each of `charged` is charged.
  public mutating func add(_ amount: PicoUSD, to charged: ArraySlice<Int32>) {
    for slot in charged {
      let index = Int(slot)
      if index >= positions.count {
        positions.append(contentsOf: repeatElement(0, count: index + 1 - positions.count))
      }
      let position = Int(positions[index])
      if position < slots.count, slots[position] == slot {
        amounts[position] += amount
        records[position] += 1
      } else {
        positions[index] = Int32(slots.count)
        slots.append(slot)
        amounts.append(amount)
        records.append(1)
      }
    }
  }
}
