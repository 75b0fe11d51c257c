import Locks
import Synchronization

/// The memory that all connections of a server hold: replies that peers did not take yet, and bytes
/// received that were not handled. Lanes change it when a buffer grows or goes, not with each frame.
///
/// Two rules keep it within its bound. A connection may have a quarter of what is left unsent, so
/// those with the most are the first that are not read any more, and small ones always have room.
/// If all are at that and the bound is passed, the connections that hold the most are closed.
final class HeldBytes: Sendable {
  let bound: Int
  private let inboxes: [LaneInbox]
  private let sum = Atomic<Int>(0)
  private let holders = Atomic<Int>(0)
  private let peak = Atomic<Int>(0)
  private let watcher = Hook<MemoryNotice>()

  /// A fall of less is not worth looking for memory to give back.
  private static let worthwhileFall = 8 * 1024 * 1024

  init(bound: Int, inboxes: [LaneInbox] = []) {
    self.bound = bound
    self.inboxes = inboxes
  }

  var total: Int { sum.load(ordering: .relaxed) }
  var isOverBound: Bool { total > bound }
  /// Closing ends here: closing as few as possible would have to begin again at once.
  var relievedTotal: Int { bound / 8 * 7 }
  /// Below it nobody is closed: some connection holds at least as much, on one lane or another.
  var average: Int { total / max(1, holders.load(ordering: .relaxed)) }
  /// How many bytes one connection may have unsent before it is not read any more.
  var allowance: Int { max(0, bound - total) / 4 }

  /// A connection that held `before` bytes holds `after`.
  func change(from before: Int, to after: Int) {
    if before == 0 { holders.add(1, ordering: .relaxed) }
    if after == 0 { holders.subtract(1, ordering: .relaxed) }
    let total = sum.add(after - before, ordering: .relaxed).newValue
    let highest = peak.load(ordering: .relaxed)
    if total > highest {
      peak.store(total, ordering: .relaxed)
    } else if after < before, highest - total >= Self.worthwhileFall, total <= highest / 2 {
      peak.store(total, ordering: .relaxed)
      tell(.freed)
    }
  }

  /// Has every lane look for connections to close.
  func askForRelief() {
    for inbox in inboxes { inbox.post { $0.mustRelieve = true } }
  }

  /// Sets who is told; on a lane, so it must not wait.
  func watch(_ tell: @escaping @Sendable (MemoryNotice) -> Void) {
    watcher.set(tell)
  }

  func tell(_ notice: MemoryNotice) { watcher(notice) }
}

/// Something about the memory of connections that the process may want to act on.
public enum MemoryNotice: Equatable, Sendable {
  /// Much less is held than shortly before: the system may have it back.
  case freed
  /// So many connections were closed, which held so many bytes: all together held more than `bound`.
  case closed(connections: Int, bytes: Int, bound: Int)
}
