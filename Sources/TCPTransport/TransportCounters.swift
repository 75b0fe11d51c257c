import Synchronization

/// A server's counters since it started: a copy, summed over its lanes.
///
/// The numbers are each right, but not all of the same instant.
public struct TransportCounters: Equatable, Sendable {
  /// Connections open now, those being told a refusal not among them.
  public var connectionsOpen = 0
  /// Connections accepted and served.
  public var connectionsAccepted: UInt64 = 0
  /// Connections turned away at once: over the bound, or while draining.
  public var connectionsRefused: UInt64 = 0
  /// Of these, connections turned away while draining.
  public var connectionsRefusedDraining: UInt64 = 0
  /// Bytes read from connections.
  public var bytesReceived: UInt64 = 0
  /// Bytes that sockets took.
  public var bytesSent: UInt64 = 0
  /// Frames handed to handlers.
  public var frames: UInt64 = 0
  /// Connections that the peer left in the middle of a frame.
  public var halfFrames: UInt64 = 0
  /// Frames refused for their length.
  public var framesTooLarge: UInt64 = 0
  /// Frames refused because they took too long to come.
  public var frameTimeouts: UInt64 = 0
  /// Deferred replies whose connection was gone.
  public var repliesDropped: UInt64 = 0
  /// Connections that ended because the peer ended them.
  public var closedByPeer: UInt64 = 0
  /// Connections that broke: reset, unreachable, no room in the kernel.
  public var closedByError: UInt64 = 0
  /// Connections closed because the handler said so.
  public var closedByHandler: UInt64 = 0
  /// Connections closed because nothing was under way for too long.
  public var closedIdle: UInt64 = 0
  /// Connections closed because the peer did not take what was sent to it.
  public var closedSlow: UInt64 = 0
  /// Connections closed because all together held too many bytes, and these the most.
  public var closedForMemory: UInt64 = 0
  /// Connections closed because the peer had not said, or no longer was, who may use the server.
  public var closedForAccess: UInt64 = 0
  /// Connections turned away since their client had as many as it may.
  public var refusedOfClient: UInt64 = 0
  /// Times that a connection was not read any more for what its client uses.
  public var stoppedByClient: UInt64 = 0
  /// Times that a connection was not read for a while for what its client did in a second.
  public var stoppedByRate: UInt64 = 0
  /// Times that a connection was not read any more for what waited to be written to it.
  public var stoppedByOwn: UInt64 = 0
  /// Times that a connection was not read any more for what waited to be written to all.
  public var stoppedByTotal: UInt64 = 0
  /// Bytes that all connections hold now: unsent, or received and not handled.
  public var heldBytes = 0
  /// Connections closed in good order by draining.
  public var closedByDrain: UInt64 = 0
  /// Connections that still had something under way at the end of the time for draining.
  public var cutOffByDrain: UInt64 = 0
  /// Times that accepting rested for want of descriptors or memory.
  public var acceptPauses: UInt64 = 0

  /// Encrypted connections whose peer ended without saying so: cut off, or careless.
  public var secureCuts: UInt64 = 0
  /// Encrypted connections that broke after the handshake: records that were not the peer's.
  public var secureFailures: UInt64 = 0
  /// Handshakes that came to an end, by outcome; nil where nothing is encrypted.
  public var handshakes: HandshakeCounts?

  /// Makes counters that stand at zero.
  public init() {}

  mutating func add(_ lane: LaneCounters) {
    connectionsOpen += lane.connectionsOpen.load(ordering: .relaxed)
    connectionsAccepted += lane.accepted.load(ordering: .relaxed)
    connectionsRefused += lane.refused.load(ordering: .relaxed)
    connectionsRefusedDraining += lane.refusedDraining.load(ordering: .relaxed)
    bytesReceived += lane.bytesReceived.load(ordering: .relaxed)
    bytesSent += lane.bytesSent.load(ordering: .relaxed)
    frames += lane.frames.load(ordering: .relaxed)
    halfFrames += lane.halfFrames.load(ordering: .relaxed)
    framesTooLarge += lane.framesTooLarge.load(ordering: .relaxed)
    frameTimeouts += lane.frameTimeouts.load(ordering: .relaxed)
    repliesDropped += lane.repliesDropped.load(ordering: .relaxed)
    closedByPeer += lane.closedByPeer.load(ordering: .relaxed)
    closedByError += lane.closedByError.load(ordering: .relaxed)
    closedByHandler += lane.closedByHandler.load(ordering: .relaxed)
    closedIdle += lane.closedIdle.load(ordering: .relaxed)
    closedSlow += lane.closedSlow.load(ordering: .relaxed)
    closedForMemory += lane.closedForMemory.load(ordering: .relaxed)
    closedForAccess += lane.closedForAccess.load(ordering: .relaxed)
    refusedOfClient += lane.refusedOfClient.load(ordering: .relaxed)
    stoppedByClient += lane.stoppedByClient.load(ordering: .relaxed)
    stoppedByRate += lane.stoppedByRate.load(ordering: .relaxed)
    stoppedByOwn += lane.stoppedByOwn.load(ordering: .relaxed)
    stoppedByTotal += lane.stoppedByTotal.load(ordering: .relaxed)
    closedByDrain += lane.closedByDrain.load(ordering: .relaxed)
    secureCuts += lane.secureCuts.load(ordering: .relaxed)
    secureFailures += lane.secureFailures.load(ordering: .relaxed)
    cutOffByDrain += lane.cutOffByDrain.load(ordering: .relaxed)
  }
}

/// One lane's counters; written by the lane, read by anyone.
final class LaneCounters: Sendable {
  let connectionsOpen = Atomic<Int>(0)
  let refusalsUnderWay = Atomic<Int>(0)
  let accepted = Atomic<UInt64>(0)
  let refused = Atomic<UInt64>(0)
  let refusedDraining = Atomic<UInt64>(0)
  let bytesReceived = Atomic<UInt64>(0)
  let bytesSent = Atomic<UInt64>(0)
  let frames = Atomic<UInt64>(0)
  let halfFrames = Atomic<UInt64>(0)
  let framesTooLarge = Atomic<UInt64>(0)
  let frameTimeouts = Atomic<UInt64>(0)
  let repliesDropped = Atomic<UInt64>(0)
  let closedByPeer = Atomic<UInt64>(0)
  let closedByError = Atomic<UInt64>(0)
  let closedByHandler = Atomic<UInt64>(0)
  let closedIdle = Atomic<UInt64>(0)
  let closedSlow = Atomic<UInt64>(0)
  let closedForMemory = Atomic<UInt64>(0)
  let closedForAccess = Atomic<UInt64>(0)
  let refusedOfClient = Atomic<UInt64>(0)
  let stoppedByClient = Atomic<UInt64>(0)
  let stoppedByRate = Atomic<UInt64>(0)
  let stoppedByOwn = Atomic<UInt64>(0)
  let stoppedByTotal = Atomic<UInt64>(0)
  let closedByDrain = Atomic<UInt64>(0)
  let cutOffByDrain = Atomic<UInt64>(0)
  let secureCuts = Atomic<UInt64>(0)
  let secureFailures = Atomic<UInt64>(0)

  /// Adds to a counter that only its lane writes: a plain load and store, no locked instruction.
  @inline(__always)
  static func add(_ amount: Int, to counter: borrowing Atomic<UInt64>) {
    counter.store(counter.load(ordering: .relaxed) &+ UInt64(amount), ordering: .relaxed)
  }
}
