import Locks
import Sockets
import Synchronization

/// The use that the connections of one client make together, whichever lanes they are on.
final class ClientShare: Sendable {
  let name: String
  private let bounds: ShareBounds
  private let requests = Atomic<Int>(0)
  private let unsent = Atomic<Int>(0)
  private let bucket: Locked<RateBucket>
  /// Connections that are not read until there is room.
  private let waiting = Locked<[ConnectionID]>([])

  init(name: String, _ bounds: ShareBounds, at now: MonotonicInstant) {
    self.name = name
    self.bounds = bounds
    bucket = Locked(RateBucket(perSecond: max(1, bounds.costPerSecond), at: now))
  }

  /// Whether the client may not ask more.
  var isUsedUp: Bool {
    bounds.requestsUnderWay > 0
      && requests.load(ordering: .sequentiallyConsistent) >= bounds.requestsUnderWay
      || bounds.unsentBytes > 0
        && unsent.load(ordering: .sequentiallyConsistent) > bounds.unsentBytes
  }

  /// Whether so much is free again that those who wait may go on: a quarter, so that not each answer
  /// wakes all of them.
  var hasRoom: Bool {
    let requestRoom = max(1, bounds.requestsUnderWay / 4)
    return
      (bounds.requestsUnderWay == 0
      || requests.load(ordering: .sequentiallyConsistent) <= bounds.requestsUnderWay - requestRoom)
      && (bounds.unsentBytes == 0
        || unsent.load(ordering: .sequentiallyConsistent) <= bounds.unsentBytes / 4 * 3)
  }

  func change(requests: Int, unsent: Int) {
    self.requests.add(requests, ordering: .sequentiallyConsistent)
    self.unsent.add(unsent, ordering: .sequentiallyConsistent)
  }

  func wait(_ connection: ConnectionID) { waiting.withLock { $0.append(connection) } }

  /// Those who wait, if there is room for them.
  func takeWaiting() -> [ConnectionID] {
    guard hasRoom else { return [] }
    return waiting.withLock { exchange(&$0, with: []) }
  }

  /// Takes the cost of a turn; says until when the client rests.
  func spend(_ cost: Int, at now: MonotonicInstant) -> MonotonicInstant? {
    guard bounds.costPerSecond > 0, cost > 0 else { return nil }
    return bucket.withLock { $0.take(cost, at: now) }
  }
}

/// The shares of all clients that are connected.
final class ClientShares: Sendable {
  let bounds: ShareBounds
  private let inboxes: [LaneInbox]
  private let entries = Locked<[String: (share: ClientShare, connections: Int)]>([:])

  init(_ bounds: ShareBounds, inboxes: [LaneInbox]) {
    self.bounds = bounds
    self.inboxes = inboxes
  }

  /// How many clients are connected.
  var count: Int { entries.withLock { $0.count } }

  /// Takes a connection into its client's share; nil: the client has all it may.
  func join(_ name: String) -> ClientShare? {
    entries.withLock { entries in
      var entry =
        entries[name] ?? (ClientShare(name: name, bounds, at: .now()), connections: 0)
      guard bounds.connections == 0 || entry.connections < bounds.connections else { return nil }
      entry.connections += 1
      entries[name] = entry
      return entry.share
    }
  }

  /// A connection leaves its client's share, with what it used of it.
  func leave(_ share: ClientShare, requests: Int, unsent: Int) {
    share.change(requests: -requests, unsent: -unsent)
    entries.withLock { entries in
      guard let entry = entries[share.name] else { return }
      let left = entry.connections - 1
      entries[share.name] = left > 0 ? (entry.share, left) : nil
    }
    wake(share)
  }

  /// Has those who wait for room looked at again, if there is some.
  func wake(_ share: ClientShare) {
    for connection in share.takeWaiting() {
      inboxes[connection.lane.number].post { $0.resumes.append(connection) }
    }
  }
}

/// A lane's connections in their clients' shares; the lane alone calls it.
struct LaneShares {
  let shares: ClientShares

  /// Takes a connection into the share of `name`, out of the one that it was in. False: the client
  /// has as many connections as it may.
  func join(_ connection: Connection, _ name: String) -> Bool {
    if connection.share?.name == name { return true }
    leave(connection)
    guard let share = shares.join(name) else { return false }
    connection.share = share
    count(connection)
    return true
  }

  func leave(_ connection: Connection) {
    guard let share = connection.share else { return }
    connection.share = nil
    connection.isOverShare = false
    shares.leave(
      share, requests: connection.sharedRequests, unsent: connection.sharedUnsent)
    (connection.sharedRequests, connection.sharedUnsent) = (0, 0)
  }

  /// Brings the client's sums in line with the connection, and the connection in line with them: true
  /// where it is held back from here on.
  @discardableResult
  func count(_ connection: Connection) -> Bool {
    guard let share = connection.share else { return false }
    let (requests, unsent) = (connection.requestsUnderWay, connection.sendQueue.byteCount)
    if requests != connection.sharedRequests || unsent != connection.sharedUnsent {
      share.change(
        requests: requests - connection.sharedRequests, unsent: unsent - connection.sharedUnsent)
      (connection.sharedRequests, connection.sharedUnsent) = (requests, unsent)
      shares.wake(share)
    }
    let mayGoOn = connection.isOverShare ? share.hasRoom : !share.isUsedUp
    if mayGoOn {
      connection.isOverShare = false
      return false
    }
    let begins = !connection.isOverShare
    connection.isOverShare = true
    if !connection.waitsForShare {
      connection.waitsForShare = true
      share.wait(connection.id)
      // Room that came meanwhile woke nobody.
      shares.wake(share)
    }
    return begins
  }

  /// A connection that waited is looked at again.
  func resume(_ connection: Connection) {
    connection.waitsForShare = false
    count(connection)
  }
}
