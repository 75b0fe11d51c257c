/// Where replies to deferred requests are put, from any thread.
///
/// Handlers get it when they are made. It holds no lane alive: replies posted after the server
/// has gone are dropped.
public final class ReplyMailbox: Sendable {
  private let inboxes: [LaneInbox]

  init(inboxes: [LaneInbox]) { self.inboxes = inboxes }

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
