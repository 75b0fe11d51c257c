import Locks
import Synchronization

/// The state that the ledger's thread shares with everybody else.
final class LedgerShared: Sendable {
  /// The part that others may ask for at any time.
  struct Status {
    var state = LedgerState.ready
    var horizon: KeyHorizon
    var counters = LedgerCounters()
  }

  let queue: RecordQueue
  let keys = KeyIndex()
  private let status: Locked<Status>
  /// Whether the state is `ready`, to be asked for every record.
  let isReady = Atomic<Bool>(true)
  /// Whether a copy is being made, and whether that shall stop.
  let isBackingUp = Atomic<Bool>(false)
  let stop = StopFlag()
  /// Whether the data directory has no name any more: nothing brings it back.
  let isDirectoryGone = Atomic<Bool>(false)

  init(settings: LedgerSettings) {
    queue = RecordQueue(
      recordBound: settings.queueRecordBound, byteBound: settings.queueByteBound)
    status = Locked(Status(horizon: KeyHorizon(retention: settings.keyRetention.milliseconds)))
  }

  func count(keysAhead: Int) {
    status.withLock { $0.counters.keysAhead += UInt64(keysAhead) }
  }

  func withStatus<Result: Sendable>(_ body: (inout Status) -> Result) -> Result {
    status.withLock { body(&$0) }
  }
}

extension Duration {
  var milliseconds: Int64 {
    components.seconds * 1_000 + components.attoseconds / 1_000_000_000_000_000
  }

  var nanoseconds: Int64 {
    components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000
  }
}
