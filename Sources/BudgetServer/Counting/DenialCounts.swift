import Locks

/// How often each budget kept a candidate out, as one writer counted it. Anyone reads.
///
/// Memory: nothing until something is denied, then 2 KiB for each 256 slots of which one denied.
final class DenialCounts: Sendable {
  private let rows = Locked<[CounterRow?]>([])

  /// The rows as they are: rows are added, never taken away.
  var all: [CounterRow?] { rows.withLock { $0 } }

  /// The row of `index`, made if it is not there.
  fileprivate func row(at index: Int) -> [CounterRow?] {
    rows.withLock { rows in
      while rows.count <= index { rows.append(nil) }
      if rows[index] == nil { rows[index] = CounterRow() }
      return rows
    }
  }
}

/// The writer's end: a lane's own, so that counting takes no lock but where a row is new.
struct DenialTally {
  private let counts: DenialCounts
  private var rows: [CounterRow?] = []

  init(_ counts: DenialCounts) { self.counts = counts }

  /// Counts `times` candidates that the budget of `slot` kept out.
  mutating func add(_ times: Int, slot: Int32) {
    let index = Int(slot) / CounterRow.width
    if index < rows.count, let row = rows[index] {
      row.add(times, at: Int(slot) % CounterRow.width)
    } else {
      rows = counts.row(at: index)
      rows[index]?.add(times, at: Int(slot) % CounterRow.width)
    }
  }
}

/// The counts of all writers, at the time of asking.
struct DenialReading {
  private let writers: [[CounterRow?]]
  /// By slot: the counts of budgets that had it before.
  private let before: [Int32: Int]

  init(_ writers: [[CounterRow?]], before: [Int32: Int]) {
    self.writers = writers
    self.before = before
  }

  /// How many candidates the budget of `slot` kept out.
  func count(_ slot: Int32) -> Int { total(slot) - before[slot, default: 0] }

  /// The same, and what was counted for budgets that had the slot before.
  func total(_ slot: Int32) -> Int {
    let (index, place) = (Int(slot) / CounterRow.width, Int(slot) % CounterRow.width)
    return writers.reduce(0) { sum, rows in
      sum + (index < rows.count ? rows[index]?.value(at: place) ?? 0 : 0)
    }
  }
}
