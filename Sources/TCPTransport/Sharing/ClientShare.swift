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

  /// Until when the client rests for what it did; nil: it may go on.
  func restsUntil(at now: MonotonicInstant) -> MonotonicInstant? {
    guard bounds.costPerSecond > 0 else { return nil }
    return bucket.withLock { $0.take(0, at: now) }
  }

  /// How much of its second the client has not used, from 1; below 0 it rests.
  func leftOfSecond(at now: MonotonicInstant) -> Double {
    guard bounds.costPerSecond > 0 else { return 1 }
    return bucket.withLock { $0.fullness(at: now) }
  }
}

/// The shares of all clients that are connected, and of those that left with part of their second used:
/// else whoever connects anew would begin a new one.
final class ClientShares: Sendable {
  private struct State {
    var entries: [String: (share: ClientShare, connections: Int)] = [:]
    /// How many of them are of clients that have left.
    var left = 0
  }

  let bounds: ShareBounds
  private let inboxes: [LaneInbox]
  private let state = Locked(State())

  /// How many clients that have left are remembered.
  static let mostLeft = 4_096

  init(_ bounds: ShareBounds, inboxes: [LaneInbox]) {
    self.bounds = bounds
    self.inboxes = inboxes
  }

  /// How many clients are connected, or have left and are remembered.
  var count: Int { state.withLock { $0.entries.count } }

  /// Takes a connection into its client's share; nil: the client has all it may.
  func join(_ name: String, at now: MonotonicInstant) -> ClientShare? {
    state.withLock { state in
      let known = state.entries[name]
      var entry = known ?? (ClientShare(name: name, bounds, at: now), connections: 0)
      guard bounds.connections == 0 || entry.connections < bounds.connections else { return nil }
      if known != nil, entry.connections == 0 { state.left -= 1 }
      entry.connections += 1
      state.entries[name] = entry
      return entry.share
    }
  }

  /// A connection leaves its client's share, with what it used of it.
  func leave(_ share: ClientShare, requests: Int, unsent: Int, at now: MonotonicInstant) {
    share.change(requests: -requests, unsent: -unsent)
    state.withLock { state in
      guard let entry = state.entries[share.name] else { return }
      let connections = entry.connections - 1
      guard connections == 0, share.leftOfSecond(at: now) >= 1 else {
        state.entries[share.name] = (entry.share, connections)
        if connections == 0 {
          state.left += 1
          if state.left > Self.mostLeft { Self.forget(&state, at: now) }
        }
        return
      }
      state.entries[share.name] = nil
    }
    wake(share)
  }

  /// Forgets the half of the clients that have left which used the least, or have their second again.
  /// Half, so that it is not done for each that leaves.
  private static func forget(_ state: inout State, at now: MonotonicInstant) {
    let gone = state.entries.values.compactMap { entry in
      entry.connections == 0
        ? (name: entry.share.name, unused: entry.share.leftOfSecond(at: now)) : nil
    }.sorted { $0.unused < $1.unused }
    for (place, client) in gone.enumerated() where place >= mostLeft / 2 || client.unused >= 1 {
      state.entries[client.name] = nil
      state.left -= 1
    }
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
  func join(_ connection: Connection, _ name: String, at now: MonotonicInstant) -> Bool {
    if connection.share?.name == name { return true }
    leave(connection, at: now)
    guard let share = shares.join(name, at: now) else { return false }
    connection.share = share
    // A client that rests does so on every connection that it makes.
    connection.times.restsUntil = share.restsUntil(at: now)
    count(connection)
    return true
  }

  func leave(_ connection: Connection, at now: MonotonicInstant) {
    guard let share = connection.share else { return }
    connection.share = nil
    connection.isOverShare = false
    shares.leave(
      share, requests: connection.sharedRequests, unsent: connection.sharedUnsent, at: now)
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
