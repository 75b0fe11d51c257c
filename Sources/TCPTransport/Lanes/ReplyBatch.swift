/// Replies to deferred requests, gathered to be posted in one go.
///
/// A value: build it on any thread, one after each commit, say, then post it.
public struct ReplyBatch: Sendable {
  struct Entry {
    let connection: ConnectionID
    let end: Int
    let tag: UInt64
  }

  private(set) var bytes: [UInt8] = []
  private(set) var entries: [Entry] = []
  /// One bit for each lane that an entry is for.
  private(set) var lanes: UInt64 = 0

  /// Makes an empty batch.
  public init() {}

  /// Whether nothing was appended.
  public var isEmpty: Bool { entries.isEmpty }

  /// How many replies it holds.
  public var count: Int { entries.count }

  /// Adds one reply: what `write` appends is a whole frame, header included, or nothing. Either
  /// way one request of the connection is no longer under way; its handler is told `tag`.
  public mutating func append(
    to connection: ConnectionID, tag: UInt64 = 0, _ write: (inout [UInt8]) -> Void
  ) {
    write(&bytes)
    entries.append(Entry(connection: connection, end: bytes.count, tag: tag))
    lanes |= 1 << UInt64(connection.lane.number)
  }

  /// Adds one reply: a whole frame, header included.
  public mutating func append(to connection: ConnectionID, frame: [UInt8]) {
    append(to: connection) { $0.append(contentsOf: frame) }
  }

  /// Empties the batch and keeps its memory.
  public mutating func removeAll() {
    bytes.removeAll(keepingCapacity: true)
    entries.removeAll(keepingCapacity: true)
    lanes = 0
  }
}

/// The mailbox for replies to deferred requests, from any thread.
///
/// Handlers get it when they are made. It holds no lane alive: replies posted after the server
/// has gone are dropped.
public final class ReplyMailbox: Sendable {
  private let inboxes: [LaneInbox]

  init(inboxes: [LaneInbox]) { self.inboxes = inboxes }

  /// Has each lane ask its handler again about the peers that are known; does not wait.
  public func review() {
    for inbox in inboxes { inbox.post { $0.mustReview = true } }
  }

  /// Closes a connection whose peer has not said who it is, unless it has by then, or one that waits for
  /// its last reply; does not wait.
  public func dismiss(_ connection: ConnectionID) {
    let lane = connection.lane.number
    precondition(lane < inboxes.count, "a connection of another server")
    inboxes[lane].post { $0.dismissals.append(connection) }
  }

  /// Hands each reply to the lane that owns its connection and wakes it; does not wait.
  ///
  /// The lane writes once per connection and batch. Replies to connections that went away are
  /// dropped and counted. Each deferred request gets exactly one reply, or the count of requests
  /// under way goes wrong: that is a programmer mistake, and the lane stops the process.
  public func post(_ batch: ReplyBatch) {
    var lanes = batch.lanes
    while lanes != 0 {
      let lane = lanes.trailingZeroBitCount
      lanes &= lanes - 1
      precondition(lane < inboxes.count, "a reply to a connection of another server")
      inboxes[lane].post { $0.replies.append(batch) }
    }
  }
}
