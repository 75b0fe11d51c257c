import BudgetModel
import SpendLedger

/// Puts the lines of a trace into the order in which things counted. A record counts from the moment
/// at which it was taken in, but its line can be written only when the ledger has said what became of
/// it; what came behind it waits.
///
/// A value: bytes come out, nothing is written here.
struct TraceOrder {
  private enum Entry {
    case line([UInt8])
    case waiting(TracedRecord, at: Timestamp, start: Timestamp, token: LedgerToken)
    /// A scenario begins here.
    case header([UInt8])
  }

  /// A piece of output.
  enum Output {
    case line([UInt8])
    case header([UInt8])
  }

  private let version: String
  /// How many entries may wait for what is before them.
  private let bound: Int
  private var entries: [Entry] = []
  /// The number of the first entry; numbers go on.
  private var first = 0
  private var waiting: [LedgerToken: [Int]] = [:]
  private var start = Timestamp(unixMilliseconds: 0)
  private var lastAt = Timestamp(unixMilliseconds: 0)
  private var knownLost: UInt64 = 0
  /// Records whose outcome never came.
  private(set) var givenUp: UInt64 = 0

  init(version: String, bound: Int = 100_000) {
    self.version = version
    self.bound = bound
  }

  mutating func add(_ event: TraceEvent) {
    switch event {
    case .begin(let state): begin(state)
    case .filter(let filter, let now):
      lastAt = now
      append(.line(TraceText.filter(filter, at: now, since: start)))
    case .release(let id, let now):
      lastAt = now
      append(.line(TraceText.release(id, at: now, since: start)))
    case .extend(let id, let ttl, let now):
      lastAt = now
      append(.line(TraceText.extend(id, byMilliseconds: ttl, at: now, since: start)))
    case .record(let record, let token, let now):
      lastAt = now
      wait(record, token, at: now)
    case .settled(let token, let recordedAt): settle(token, recordedAt)
    }
  }

  /// Says where steps are missing; `lost` counts all of them so far.
  mutating func note(lost: UInt64) {
    guard lost > knownLost else { return }
    append(.line(TraceText.lost(lost - knownLost, at: lastAt, since: start)))
    knownLost = lost
  }

  /// Takes out what no longer waits for anything.
  mutating func takeReady() -> [Output] {
    var ready: [Output] = []
    var count = 0
    loop: for entry in entries {
      switch entry {
      case .line(let bytes): ready.append(.line(bytes))
      case .header(let bytes): ready.append(.header(bytes))
      case .waiting: break loop
      }
      count += 1
    }
    entries.removeFirst(count)
    first += count
    if entries.count > bound { giveUp() }
    return ready
  }

  /// Outcomes that have not come do not come any more: their records are counted as lost.
  mutating func giveUp() {
    for index in entries.indices {
      guard case .waiting = entries[index] else { continue }
      entries[index] = .line([])
      givenUp += 1
    }
    waiting = [:]
  }

  private mutating func begin(_ state: TraceState) {
    // Records that are not committed are not in the windows: they are part of both scenarios.
    let pending = entries.compactMap { entry -> (TracedRecord, LedgerToken)? in
      guard case .waiting(let record, _, let start, let token) = entry, start == self.start else {
        return nil
      }
      return (record, token)
    }
    start = state.at
    lastAt = state.at
    append(.header(TraceText.header(state, version: version)))
    for (record, token) in pending { wait(record, token, at: state.at) }
  }

  private mutating func wait(_ record: TracedRecord, _ token: LedgerToken, at now: Timestamp) {
    waiting[token, default: []].append(first + entries.count)
    append(.waiting(record, at: now, start: start, token: token))
  }

  private mutating func settle(_ token: LedgerToken, _ recordedAt: Timestamp?) {
    for number in waiting.removeValue(forKey: token) ?? [] {
      guard case .waiting(let record, let now, let start, _) = entries[number - first] else {
        continue
      }
      entries[number - first] = .line(
        recordedAt.map { TraceText.record(record, at: now, recordedAt: $0, since: start) } ?? [])
    }
  }

  private mutating func append(_ entry: Entry) { entries.append(entry) }
}
